#pragma once

#include <signal.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "pwalk/base/unique_fd.h"

namespace pwalk::ipc::testing {

/// A running `actor` (actor.cc). Killed and reaped in the destructor.
class Actor {
 public:
  /// `through`: the command that is to start it, found by PATH, with its arguments.
  explicit Actor(std::vector<std::string> arguments, std::vector<std::string> through = {});
  Actor(const Actor&) = delete;
  Actor& operator=(const Actor&) = delete;
  ~Actor();

  /// The next line it says; nullopt: it ended, or 30 s passed.
  std::optional<std::string> line();
  /// Reads on until a line begins with `word`. "": it never came.
  std::string await(const std::string& word);
  /// What it has already said, without waiting; the last line that begins with `word`.
  std::string last(const std::string& word);

  void signal(int number) const;
  /// Waits for its end. The exit code, or 128 + the signal.
  int wait();

 private:
  bool read_more(std::chrono::milliseconds timeout);
  pid_t pid_ = -1;
  UniqueFd output_;
  std::string buffer_;
};

}  // namespace pwalk::ipc::testing
