#pragma once

#include <chrono>
#include <thread>

namespace pwalk::testing {

/// Waits for `condition` as long as any machine could need. False: it did not come.
template <class Condition>
bool eventually(Condition&& condition) {
  for (int i = 0; i < 20'000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return condition();
}

}  // namespace pwalk::testing
