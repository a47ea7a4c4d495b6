#pragma once

#include <pybind11/pytypes.h>

#include <string>

#include "pwalk/base/result.h"

namespace pwalk::bindings {

/// Raises what a Python user expects for a failed setup step, as a C++ exception that pybind11
/// hands on: OSError's subclasses with errno, message and filename; ValueError for what cannot be;
/// pwalk's own exceptions for what only a stream can suffer. Needs the GIL.
[[noreturn]] void raise(const Error& error, const std::string& filename = {});

/// Raises what os functions raise for `path`, the object that the caller gave: OSError's subclasses with the
/// errno's own text and that path as filename. ValueError and pwalk's exceptions as above.
[[noreturn]] void raise_path_error(const Error& error, const pybind11::object& path);

/// Raises pwalk.<name>(message).
[[noreturn]] void raise_pwalk(const char* name, const std::string& message);

/// Raises pwalk.MissedEntries(message, count).
[[noreturn]] void raise_missed_entries(const std::string& message, unsigned long long count);

}  // namespace pwalk::bindings
