#pragma once

#include <string>

#include "pwalk/base/result.h"

namespace pwalk::bindings {

/// Raises what a Python user expects for a failed setup step, as a C++ exception that pybind11
/// hands on: OSError's subclasses with errno, message and filename; ValueError for what cannot be;
/// pwalk's own exceptions for what only a stream can suffer. Needs the GIL.
[[noreturn]] void raise(const Error& error, const std::string& filename = {});

/// Raises pwalk.<name>(message).
[[noreturn]] void raise_pwalk(const char* name, const std::string& message);

/// Raises pwalk.MissedEntries(message, count).
[[noreturn]] void raise_missed_entries(const std::string& message, unsigned long long count);

}  // namespace pwalk::bindings
