#include "sys/paced_calls.h"

#include <algorithm>

namespace pwalk::sys {
namespace {

/// Longest sleep without a look at `stop`.
constexpr std::uint64_t kSliceNs = 50'000'000;

/// What this thread has waited for turns, in any walk: only differences are looked at.
thread_local std::uint64_t waited_ns = 0;

}  // namespace

void PacedCalls::await_turn() const {
  const std::uint64_t began = calls_.monotonic_ns();
  std::uint64_t now = began;
  std::uint64_t wait = pace_.reserve(now);
  while (!stop_.load(std::memory_order_relaxed)) {
    if (wait == 0 && (wait = pace_.take(now)) == 0) break;
    const std::uint64_t slice = std::min(wait, kSliceNs);
    calls_.sleep(std::chrono::nanoseconds(slice));
    wait -= slice;
    now = calls_.monotonic_ns();
  }
  waited_ns += now - began;
}

std::uint64_t PacedCalls::service_ns() const { return calls_.monotonic_ns() - waited_ns; }

const ::dirent* PacedCalls::read_stream(::DIR* stream, int& error) const {
  await_turn();
  return calls_.read_stream(stream, error);
}

int PacedCalls::open_once(const char* path, int flags) const {
  await_turn();
  return calls_.open_once(path, flags);
}

int PacedCalls::openat_once(int directory, const char* name, int flags) const {
  await_turn();
  return calls_.openat_once(directory, name, flags);
}

long PacedCalls::getdents_once(int directory, std::span<std::byte> buffer) const {
  await_turn();
  return calls_.getdents_once(directory, buffer);
}

int PacedCalls::statx_once(int directory, const char* name, int flags, unsigned mask, struct ::statx& out) const {
  await_turn();
  return calls_.statx_once(directory, name, flags, mask, out);
}

int PacedCalls::fstatat_once(int directory, const char* name, int flags, struct ::stat& out) const {
  await_turn();
  return calls_.fstatat_once(directory, name, flags, out);
}

int PacedCalls::seek_once(int directory, std::int64_t position) const {
  await_turn();
  return calls_.seek_once(directory, position);
}

long PacedCalls::readlinkat_once(int directory, const char* name, std::span<char> text) const {
  await_turn();
  return calls_.readlinkat_once(directory, name, text);
}

long PacedCalls::lgetxattr_once(const char* path, const char* attribute, std::span<std::byte> value) const {
  await_turn();
  return calls_.lgetxattr_once(path, attribute, value);
}

int PacedCalls::ioctl_once(int fd, unsigned long request, void* answer) const {
  await_turn();
  return calls_.ioctl_once(fd, request, answer);
}

int PacedCalls::project_by_name_once(int directory, const char* name, std::uint32_t& project) const {
  await_turn();
  return calls_.project_by_name_once(directory, name, project);
}

int PacedCalls::project_of_once(int fd, std::uint32_t& project) const {
  await_turn();
  return calls_.project_of_once(fd, project);
}

}  // namespace pwalk::sys
