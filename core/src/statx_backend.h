#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <span>

namespace pwalk {

/// Asks the attributes of many names of one directory. begin(), then take() for
/// each name in order, as many as are wanted, then end(). One thread, always the same.
class StatxBackend {
 public:
  virtual ~StatxBackend() = default;

  /// Says what will be asked. `directory`, `names` and what they point to stay as
  /// they are until end(). `flags` and `mask` as for statx(2).
  virtual void begin(int directory, std::span<const char* const> names, int flags, unsigned mask) = 0;

  /// The answer for the next name: 0, or a negated errno. Waits for it.
  virtual int take(struct ::statx& answer) = 0;

  /// On return nothing is outstanding: the directory may be closed.
  virtual void end() = 0;
};

}  // namespace pwalk
