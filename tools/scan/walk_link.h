#pragma once

#include <memory>
#include <optional>
#include <thread>

#include "pwalk/base/result.h"
#include "pwalk/base/unique_fd.h"
#include "pwalk/walk_control.h"

namespace pwalk::tools {

/// The scanner's end of the socket over which the Python package follows a walk: `PWALK_WALK_CONTROL=FD` in the
/// environment of a scanner that it starts names an inherited stream socket. Not for people, so it is no option.
///
/// The follower sends frames: a byte (what), a 32-bit length in the machine's order, and so many bytes. First
/// `h` (hello): u32 version, u64 run-ahead. Then `a` (acknowledge): u64, so many directories more; `d` (decline):
/// a path. The end of the stream, or a frame that is none of these, lets the walk go without a bound.
class WalkLink {
 public:
  static constexpr std::uint32_t kVersion = 1;

  /// Reads the hello, waiting at most 10 s. nullptr: nobody follows. EINVAL: the variable, the descriptor or the
  /// hello is not what it should be; the message is a line.
  static Result<std::unique_ptr<WalkLink>> from_environment();
  ~WalkLink();

  WalkControl& control() { return control_; }

 private:
  WalkLink(UniqueFd socket, std::uint64_t run_ahead);
  void follow();

  UniqueFd socket_;
  WalkControl control_;
  std::thread reader_;
};

}  // namespace pwalk::tools
