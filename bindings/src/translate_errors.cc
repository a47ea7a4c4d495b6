#include "translate_errors.h"

#include <pybind11/pybind11.h>

#include <cstring>

namespace py = pybind11;

namespace pwalk::bindings {
namespace {

[[noreturn]] void raise_object(const py::object& exception) {
  PyErr_SetObject(py::type::handle_of(exception).ptr(), exception.ptr());
  throw py::error_already_set();
}

// Bytes that are no UTF-8 come through as surrogate escapes, as os.fsdecode gives them.
py::str text_of(const std::string& bytes) {
  auto* text = PyUnicode_DecodeUTF8(bytes.data(), Py_ssize_t(bytes.size()), "surrogateescape");
  if (!text) throw py::error_already_set();
  return py::reinterpret_steal<py::str>(text);
}

py::object exception_class(const char* name) {
  return py::module_::import("pwalk.errors").attr(name);
}

// OSError picks the subclass for the errno itself: ENOENT gives FileNotFoundError.
[[noreturn]] void raise_os_error(const Error& error, const std::string& filename) {
  const auto os_error = py::reinterpret_borrow<py::object>(PyExc_OSError);
  raise_object(filename.empty() ? os_error(error.code, text_of(error.what))
                                : os_error(error.code, text_of(error.what), text_of(filename)));
}

}  // namespace

void raise_pwalk(const char* name, const std::string& message) {
  raise_object(exception_class(name)(text_of(message)));
}

void raise_missed_entries(const std::string& message, unsigned long long count) {
  raise_object(exception_class("MissedEntries")(text_of(message), count));
}

void raise(const Error& error, const std::string& filename) {
  if (PyErr_Occurred()) throw py::error_already_set();  // a signal's handler raised in the wait
  switch (error.code) {
    case EINVAL:
    case EMLINK:  // several scans, and none was named
    case EBADF:   // closed
      raise_object(py::reinterpret_borrow<py::object>(PyExc_ValueError)(text_of(error.what)));
    case EOVERFLOW:
      raise_object(py::reinterpret_borrow<py::object>(PyExc_OverflowError)(text_of(error.what)));
    case ECANCELED:
      raise_pwalk("Evicted", error.what);
    case EPROTO:
      raise_pwalk("ProtocolError", error.what);
    case ESTALE:
      raise_pwalk("PwalkError", error.what);
    default:
      raise_os_error(error, filename);
  }
}

void raise_path_error(const Error& error, const py::object& path) {
  if (PyErr_Occurred() || error.code == EINVAL || error.code == EPROTO) raise(error);
  const auto os_error = py::reinterpret_borrow<py::object>(PyExc_OSError);
  raise_object(os_error(error.code, std::strerror(error.code), path));
}

}  // namespace pwalk::bindings
