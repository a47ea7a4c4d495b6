#pragma once

#include <dlfcn.h>

#include <cerrno>

/// Every function that this library takes the place of.
#define PWALK_TAKES extern "C" __attribute__((visibility("default")))

/// The function of that name that the program would have called without this library.
#define PWALK_REAL(name)                                                                     \
  ([] {                                                                                      \
    static const auto function = reinterpret_cast<decltype(&::name)>(::dlsym(RTLD_NEXT, #name)); \
    return function;                                                                         \
  }())
