#pragma once

#include <pybind11/pybind11.h>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "pwalk/base/option_value.h"

/// Each type of option as Python sees it. A value of the wrong type raises TypeError, one that
/// cannot be ValueError; both name the option and what is allowed.
namespace pwalk::bindings {

/// What an error has to name, and the bounds a number must keep.
struct OptionBounds {
  std::string name;
  double least, most;
};

[[noreturn]] inline void refuse_type(const OptionBounds& option, const std::string& allowed) {
  throw pybind11::type_error(option.name + ": allowed is " + allowed);
}

[[noreturn]] inline void refuse_value(const OptionBounds& option, const std::string& allowed) {
  throw pybind11::value_error(option.name + ": " + allowed);
}

inline ByteSize bound_as(double bound, ByteSize) { return {std::uint64_t(bound)}; }
inline Seconds bound_as(double bound, Seconds) { return {bound}; }
template <std::unsigned_integral Value>
Value bound_as(double bound, Value) {
  return Value(bound);
}

/// ValueError unless the number keeps the option's bounds, which are printed as its type prints them.
template <class Value>
void require_within(const OptionBounds& option, double number) {
  if (number >= option.least && number <= option.most) return;
  const auto print = [](double bound) { return OptionValue<Value>::print(bound_as(bound, Value{})); };
  refuse_value(option, std::isinf(option.most)
                           ? "allowed is at least " + print(option.least)
                           : "allowed is " + print(option.least) + " to " + print(option.most));
}

/// The bytes of a str, bytes or os.PathLike, as os.fsencode gives them.
inline std::string option_text(pybind11::handle value, const OptionBounds& option) {
  static constexpr const char* kAllowed = "text (str, bytes or os.PathLike)";
  PyObject* encoded = nullptr;
  if (!PyUnicode_FSConverter(value.ptr(), &encoded)) {
    if (!PyErr_ExceptionMatches(PyExc_TypeError)) throw pybind11::error_already_set();
    PyErr_Clear();
    refuse_type(option, kAllowed);
  }
  std::string text = pybind11::reinterpret_steal<pybind11::bytes>(encoded);
  if (text.empty()) refuse_value(option, "allowed is text that is not empty");
  return text;
}

/// Text of bytes that may be no UTF-8, as os.fsdecode gives it.
inline pybind11::object text_object(const std::string& bytes) {
  return pybind11::reinterpret_steal<pybind11::object>(
      PyUnicode_DecodeFSDefaultAndSize(bytes.data(), pybind11::ssize_t(bytes.size())));
}

/// Reads `text` as the command line does.
template <class Value>
Value parse_option(const std::string& text, const OptionBounds& option) {
  auto value = OptionValue<Value>::parse(text);
  if (!value) refuse_value(option, "'" + text + "': " + value.error().what);
  return *std::move(value);
}

inline bool is_whole_number(pybind11::handle value) {
  return PyIndex_Check(value.ptr()) && !PyBool_Check(value.ptr());
}

template <class Value>
struct OptionConversion;  // from_python(value, bounds), to_python(value), annotation() for type checkers

template <>
struct OptionConversion<bool> {
  static bool from_python(pybind11::handle value, const OptionBounds& option) {
    if (!PyBool_Check(value.ptr())) refuse_type(option, "True or False");
    return value.ptr() == Py_True;
  }
  static pybind11::object to_python(bool value) { return pybind11::bool_(value); }
  static std::string annotation() { return "bool"; }
};

template <std::unsigned_integral Value>
  requires(!std::same_as<Value, bool>)
struct OptionConversion<Value> {
  static Value from_python(pybind11::handle value, const OptionBounds& option) {
    if (!is_whole_number(value)) refuse_type(option, "a whole number");
    const auto whole = pybind11::reinterpret_steal<pybind11::object>(PyNumber_Index(value.ptr()));
    if (!whole) throw pybind11::error_already_set();
    double number = PyLong_AsDouble(whole.ptr());
    if (PyErr_Occurred()) {  // beyond what a double can say
      PyErr_Clear();
      number = std::numeric_limits<double>::infinity();
    }
    require_within<Value>(within_type(option), number);
    return whole.template cast<Value>();
  }
  static pybind11::object to_python(Value value) { return pybind11::int_(value); }
  static std::string annotation() { return "int"; }

 private:
  static OptionBounds within_type(OptionBounds option) {
    option.most = std::min(option.most, double(std::numeric_limits<Value>::max()));
    return option;
  }
};

template <>
struct OptionConversion<ByteSize> {
  static ByteSize from_python(pybind11::handle value, const OptionBounds& option) {
    if (!is_whole_number(value) && !PyUnicode_Check(value.ptr()))
      refuse_type(option, "a number of bytes or text such as '64M'");
    const auto parsed = parse_option<ByteSize>(pybind11::str(value), option);
    require_within<ByteSize>(option, double(parsed.bytes));
    return parsed;
  }
  static pybind11::object to_python(ByteSize value) { return pybind11::int_(value.bytes); }
  static std::string annotation() { return "int | str"; }
};

template <>
struct OptionConversion<Seconds> {
  static Seconds from_python(pybind11::handle value, const OptionBounds& option) {
    if (!PyFloat_Check(value.ptr()) && !is_whole_number(value)) refuse_type(option, "a number of seconds");
    const auto parsed = parse_option<Seconds>(pybind11::str(value), option);
    require_within<Seconds>(option, parsed.value);
    return parsed;
  }
  static pybind11::object to_python(Seconds value) { return pybind11::float_(value.value); }
  static std::string annotation() { return "float"; }
};

template <>
struct OptionConversion<std::string> {
  static std::string from_python(pybind11::handle value, const OptionBounds& option) {
    return option_text(value, option);
  }
  static pybind11::object to_python(const std::string& value) { return text_object(value); }
  static std::string annotation() { return "str | bytes | os.PathLike[str]"; }
};

/// A word of the enum; None stands for the value that has no word (the default "by profile").
template <class Value>
  requires std::is_enum_v<Value>
struct OptionConversion<Value> {
  static Value from_python(pybind11::handle value, const OptionBounds& option) {
    if (value.is_none() && !has_word(Value{})) return Value{};
    if (PyBool_Check(value.ptr()) && is_switch())
      return parse_option<Value>(value.ptr() == Py_True ? "on" : "off", option);
    if (!PyUnicode_Check(value.ptr())) refuse_type(option, "one of " + words());
    return parse_option<Value>(pybind11::str(value), option);
  }
  static pybind11::object to_python(Value value) {
    if (!has_word(value)) return pybind11::none();
    return pybind11::str(OptionValue<Value>::print(value));
  }
  static std::string annotation() {
    return "Literal[" + words("'") + "]" + (is_switch() ? " | bool" : "") + (has_word(Value{}) ? "" : " | None");
  }

 private:
  static bool has_word(Value wanted) {
    for (const auto& [word, value] : EnumWords<Value>::words)
      if (value == wanted) return true;
    return false;
  }
  /// True and False stand for the words "on" and "off".
  static bool is_switch() {
    return OptionValue<Value>::parse("on").has_value() && OptionValue<Value>::parse("off").has_value();
  }
  static std::string words(const std::string& quote = "") {
    std::string all;
    for (const auto& [word, value] : EnumWords<Value>::words)
      all += (all.empty() ? "" : ", ") + quote + std::string(word) + quote;
    return all;
  }
};

template <class Value>
struct OptionConversion<std::optional<Value>> {
  static std::optional<Value> from_python(pybind11::handle value, const OptionBounds& option) {
    if (value.is_none()) return std::nullopt;
    return OptionConversion<Value>::from_python(value, option);
  }
  static pybind11::object to_python(const std::optional<Value>& value) {
    return value ? OptionConversion<Value>::to_python(*value) : pybind11::none();
  }
  static std::string annotation() { return OptionConversion<Value>::annotation() + " | None"; }
};

/// A repeatable option: a list, or one value alone.
template <class Value>
struct OptionConversion<std::vector<Value>> {
  static std::vector<Value> from_python(pybind11::handle value, const OptionBounds& option) {
    const bool alone = PyUnicode_Check(value.ptr()) || PyBytes_Check(value.ptr()) || !is_iterable(value);
    if (alone) return {OptionConversion<Value>::from_python(value, option)};
    std::vector<Value> values;
    for (const auto item : pybind11::iter(value))
      values.push_back(OptionConversion<Value>::from_python(item, option));
    return values;
  }
  static pybind11::object to_python(const std::vector<Value>& values) {
    pybind11::list list;
    for (const Value& value : values) list.append(OptionConversion<Value>::to_python(value));
    return pybind11::tuple(list);
  }
  static std::string annotation() { return "Iterable[" + OptionConversion<Value>::annotation() + "]"; }

 private:
  static bool is_iterable(pybind11::handle value) { return pybind11::hasattr(value, "__iter__"); }
};

}  // namespace pwalk::bindings
