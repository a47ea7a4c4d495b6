#pragma once

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <climits>
#include <cstdint>
#include <ctime>

#include "layout.h"

/// futex(2) on shared memory: without FUTEX_PRIVATE_FLAG, since the sleeper and
/// the waker are different processes.
namespace pwalk::ipc {

/// Sleeps while `word` holds `expected`, at most `slice`. Returns for any reason; look again.
inline void futex_wait(const Word32& word, std::uint32_t expected, std::chrono::nanoseconds slice) {
  const timespec limit{time_t(slice.count() / 1'000'000'000), long(slice.count() % 1'000'000'000)};
  ::syscall(SYS_futex, &word, FUTEX_WAIT, expected, &limit, nullptr, 0);
}

inline void futex_wake(const Word32& word) {
  ::syscall(SYS_futex, &word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

}  // namespace pwalk::ipc
