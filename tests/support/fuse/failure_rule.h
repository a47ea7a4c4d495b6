#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "operation_counts.h"
#include "pwalk/base/result.h"

namespace pwalk::fuse {

/// "The nth OPENDIR of `d001` fails with EIO", or is never answered.
struct FailureRule {
  Request request = Request::lookup;
  std::string name;       ///< last component of what is asked about; empty: anything
  int error = 0;          ///< errno; 0: never answered
  std::uint64_t nth = 1;  ///< counted from 1 among the requests that match
  bool onwards = false;   ///< the nth and every later one
};

/// Reads REQUEST[/NAME]=ERROR[@N[+]]: `readdir=EIO@2`, `lookup/f00003=ESTALE@1+`,
/// `getattr=hang`. Errors: EINVAL, and the message says what is allowed.
Result<FailureRule> parse_failure_rule(const std::string& text);

/// The rules of one mount. Thread-safe once all are added.
class FailureRules {
 public:
  void add(FailureRule rule) { counted_.emplace_back(std::move(rule)); }

  /// What happens to this request: nullopt, it is served; 0, never answered; else an errno.
  std::optional<int> verdict(Request request, std::string_view name);

 private:
  struct Counted {
    explicit Counted(FailureRule given) : rule(std::move(given)) {}
    FailureRule rule;
    std::atomic<std::uint64_t> seen{0};
  };
  std::deque<Counted> counted_;
};

}  // namespace pwalk::fuse
