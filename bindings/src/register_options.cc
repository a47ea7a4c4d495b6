#include <pybind11/stl.h>

#include <string>
#include <type_traits>

#include "option_conversion.h"
#include "pwalk/publish/publish_options.h"
#include "pwalk/scan_options.h"
#include "registrations.h"

namespace py = pybind11;

namespace pwalk::bindings {
namespace {

/// The values of Python's Config: every option of the scanner that has an OptionSpec.
struct ConfigValues {
  ScanOptions scan;
  publish::PublishOptions publish;
  bool operator==(const ConfigValues&) const = default;
};

/// Calls visit(group, spec) for every option, in the order of `--help`.
template <class Values, class Visit>
void for_each_option(Values& values, Visit&& visit) {
  for_each_scan_option(values.scan, visit);
  publish::for_each_publish_option(values.publish, visit);
}

template <class Group, class Spec>
using ValueOf = std::decay_t<decltype(std::declval<Group&>().*std::declval<Spec>().member)>;

/// One word in Python, C++ and after the dashes: max_depth, --max-depth.
std::string python_name(std::string_view flag) {
  std::string name(flag);
  for (char& letter : name)
    if (letter == '-') letter = '_';
  return name;
}

/// Calls visit(group, spec) for the option of this Python name; KeyError if there is none.
template <class Values, class Visit>
void with_option(Values& values, const std::string& name, Visit&& visit) {
  bool found = false;
  for_each_option(values, [&](auto& group, const auto& spec) {
    if (python_name(spec.name) != name) return;
    found = true;
    visit(group, spec);
  });
  if (!found) throw py::key_error(name);
}

py::object get(const ConfigValues& values, const std::string& name) {
  py::object value;
  with_option(values, name, [&](const auto& group, const auto& spec) {
    value = OptionConversion<ValueOf<decltype(group), decltype(spec)>>::to_python(group.*spec.member);
  });
  return value;
}

void set(ConfigValues& values, const std::string& name, py::object value) {
  with_option(values, name, [&](auto& group, const auto& spec) {
    group.*spec.member = OptionConversion<ValueOf<decltype(group), decltype(spec)>>::from_python(
        value, {name, spec.least, spec.most});
  });
}

template <class Value>
void append_argument(py::list& arguments, std::string_view flag, const Value& value) {
  arguments.append(text_object("--" + std::string(flag) + "=" + OptionValue<Value>::print(value)));
}

template <class Value>
void append_argument(py::list& arguments, std::string_view flag, const std::vector<Value>& values) {
  for (const Value& value : values) append_argument(arguments, flag, value);
}

void append_argument(py::list& arguments, std::string_view flag, bool value) {
  arguments.append(text_object((value ? "--" : "--no-") + std::string(flag)));
}

/// What differs from the defaults, as pwalk-scanner takes it.
py::list to_arguments(const ConfigValues& values) {
  py::list arguments;
  for_each_option(values, [&](const auto& group, const auto& spec) {
    const std::decay_t<decltype(group)> defaults;
    if (group.*spec.member != defaults.*spec.member)
      append_argument(arguments, spec.name, group.*spec.member);
  });
  return arguments;
}

/// (name, annotation of its type, help) of every option.
py::list option_specs() {
  py::list specs;
  ConfigValues values;
  for_each_option(values, [&](const auto& group, const auto& spec) {
    using Conversion = OptionConversion<ValueOf<decltype(group), decltype(spec)>>;
    specs.append(py::make_tuple(python_name(spec.name), Conversion::annotation(), spec.help));
  });
  return specs;
}

}  // namespace

void register_options(py::module_& module) {
  module.def("option_specs", option_specs);
  py::class_<ConfigValues>(module, "ConfigValues")
      .def(py::init<>())
      .def(py::init<const ConfigValues&>())
      .def("get", get)
      .def("set", set)
      .def("to_arguments", to_arguments)
      .def("__eq__", [](const ConfigValues& left, const ConfigValues& right) { return left == right; });
}

}  // namespace pwalk::bindings
