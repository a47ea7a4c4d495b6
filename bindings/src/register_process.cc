#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "figures_tuple.h"
#include "interruptible.h"
#include "pwalk/ipc/scan_directory.h"
#include "registrations.h"
#include "translate_errors.h"

namespace py = pybind11;

namespace pwalk::bindings {
namespace {

/// For the child between fork(2) and execve(2): SIGTERM when the thread that forked ends, see
/// PR_SET_PDEATHSIG in prctl(2). Ends it at once if that has happened already.
void end_with_parent(pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(128 + SIGTERM);
}

/// (state, figures or None) of the scan of that name, or with that root; None if there is none. The scanner is
/// asked, and nobody attaches.
py::object scan_status(const std::string& wanted) {
  const auto scans = without_gil([] { return ipc::list_scans(ipc::runtime_directory()); });
  if (!scans && scans.error().code == ENOENT) return py::none();
  if (!scans) raise(scans.error());
  for (const ipc::ScanStatus& scan : *scans) {
    const bool has_root = std::find(scan.roots.begin(), scan.roots.end(), wanted) != scan.roots.end();
    if (scan.name != wanted && !has_root) continue;
    return py::make_tuple(scan.state, scan.figures ? py::object(figures_tuple(*scan.figures)) : py::none());
  }
  return py::none();
}

}  // namespace

void register_process(py::module_& module) {
  module.def("end_with_parent", end_with_parent, py::arg("parent"));
  module.def("scan_status", scan_status, py::arg("scan"));
}

}  // namespace pwalk::bindings
