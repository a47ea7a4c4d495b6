#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>

#include "registrations.h"

namespace py = pybind11;

namespace pwalk::bindings {
namespace {

/// For the child between fork(2) and execve(2): SIGTERM when the thread that forked ends, see
/// PR_SET_PDEATHSIG in prctl(2). Ends it at once if that has happened already.
void end_with_parent(pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(128 + SIGTERM);
}

}  // namespace

void register_process(py::module_& module) {
  module.def("end_with_parent", end_with_parent, py::arg("parent"));
}

}  // namespace pwalk::bindings
