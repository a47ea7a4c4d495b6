#include "pwalk/schema/columns.h"
#include "registrations.h"

namespace py = pybind11;

namespace pwalk::bindings {
namespace {

const char* numpy_name(schema::ElementType element) {
  switch (element) {
    case schema::ElementType::u1:
      return "u1";
    case schema::ElementType::u4:
      return "u4";
    case schema::ElementType::u8:
      return "u8";
    case schema::ElementType::i8:
      return "i8";
  }
  return "?";
}

py::tuple columns() {
  py::list all;
  for (const auto& spec : schema::kColumns)
    all.append(py::make_tuple(spec.name, numpy_name(spec.element), spec.meaning));
  for (const auto& spec : schema::kTextColumns) all.append(py::make_tuple(spec.name, "O", spec.meaning));
  return py::tuple(all);
}

py::tuple operations() {
  py::list all;
  for (const auto name : schema::kOperationNames) all.append(name);
  return py::tuple(all);
}

py::dict entry_flags() {
  py::dict all;
  for (std::size_t bit = 0; bit < schema::kEntryFlagNames.size(); ++bit)
    all[py::str(schema::kEntryFlagNames[bit])] = 1u << bit;
  return all;
}

}  // namespace

void register_columns(py::module_& module) {
  module.attr("COLUMNS") = columns();
  module.attr("OPERATIONS") = operations();
  module.attr("FLAGS") = entry_flags();
}

}  // namespace pwalk::bindings
