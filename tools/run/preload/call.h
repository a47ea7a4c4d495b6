#pragma once

#include <cerrno>
#include <utility>

#include "run/preload/real_call.h"
#include "run/preload/scanned_tree.h"

namespace pwalk::run {

/// One call of the program that this library has taken. While it lives, calls that
/// the library itself makes go to libc. errno is the caller's on success and the
/// given one after fail().
class Call {
 public:
  Call() : caller_errno_(errno), outermost_(!inside_) { inside_ = true; }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  ~Call() {
    if (!left_) leave();
    if (code_ != 0) errno = code_;
  }

  /// nullptr: pass the call on.
  const ScannedTree* tree() const { return outermost_ ? ScannedTree::instance() : nullptr; }

  int fail(int code) {
    code_ = code;
    return -1;
  }
  /// 0, or an errno to fail with.
  int end(int code) { return code == 0 ? 0 : fail(code); }

  /// Makes a call of libc in the program's name: what it calls back is the program again.
  template <class Function, class... Arguments>
  auto pass(Function function, Arguments... arguments) {
    leave();
    return function(arguments...);
  }

 private:
  void leave() {
    left_ = true;
    if (outermost_) inside_ = false;
    errno = caller_errno_;
  }

  static inline thread_local bool inside_ [[gnu::tls_model("initial-exec")]] = false;
  int caller_errno_;
  int code_ = 0;
  bool outermost_;
  bool left_ = false;
};

}  // namespace pwalk::run
