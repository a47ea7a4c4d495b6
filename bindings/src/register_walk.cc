#include <pybind11/stl.h>

#include "batch_handle.h"
#include "registrations.h"
#include "walk_tree.h"

namespace py = pybind11;

namespace pwalk::bindings {
namespace {

WalkTree make(const std::string& top, bool as_bytes, bool topdown, bool follow_links, bool one_file_system,
              std::optional<std::uint32_t> max_depth) {
  WalkTreeOptions options;
  options.top = top;
  options.as_bytes = as_bytes;
  options.topdown = topdown;
  options.follow_links = follow_links;
  options.one_file_system = one_file_system;
  options.max_depth = max_depth;
  return WalkTree(std::move(options));
}

}  // namespace

void register_walk(py::module_& module) {
  py::class_<WalkTree>(module, "WalkTree")
      .def(py::init(&make), py::arg("top"), py::kw_only(), py::arg("as_bytes"), py::arg("topdown"),
           py::arg("follow_links"), py::arg("one_file_system"), py::arg("max_depth"))
      .def("add", [](WalkTree& self, const BatchHandle& batch) { self.add(batch.view()); })
      .def("next", &WalkTree::next)
      .def("resume", &WalkTree::resume)
      .def("take_messages", &WalkTree::take_messages)
      .def("finish", &WalkTree::finish)
      .def_property_readonly("unsent", &WalkTree::unsent);
}

}  // namespace pwalk::bindings
