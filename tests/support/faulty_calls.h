#pragma once

#include <array>
#include <atomic>
#include <cstring>
#include <functional>
#include <map>

#include "sys/calls.h"

namespace pwalk::testing {

/// The calls that can be made to fail.
enum class FaultyCall : unsigned char { open, openat, getdents, statx, fstatat, seek, replace, stream };
inline constexpr std::array kFaultyCalls{FaultyCall::open,    FaultyCall::openat, FaultyCall::getdents, FaultyCall::statx,
                                         FaultyCall::fstatat, FaultyCall::seek,   FaultyCall::replace, FaultyCall::stream};

/// The real system calls with faults of choice. Rules are set before the walk.
/// Also keeps books: how many descriptors are open, and how many of each call.
class FaultyCalls : public sys::Calls {
 public:
  /// `call` number `first` (from 1) fails with `error`, and so do the `count` - 1 after it.
  void fail_at(FaultyCall call, unsigned first, int error, unsigned count = 1) { rules_[call] = {first, count, error}; }

  std::function<unsigned char(unsigned char)> claim_type;           ///< d_type, as the listing will claim
  std::function<long(int, std::span<std::byte>)> listing;           ///< stands in for getdents64
  std::function<void(int, const char*)> before_statx;               ///< to pull the rug
  std::function<void(const char*)> before_openat;
  bool has_getdents = true;       ///< false: a kernel without getdents64
  unsigned most_open = 1u << 30;  ///< EMFILE beyond, whatever the process may have

  /// getdents64 itself, for what stands in for it.
  long list(int directory, std::span<std::byte> buffer) const { return Calls::getdents_once(directory, buffer); }

  unsigned made(FaultyCall call) const { return unsigned(made_[std::size_t(call)]); }
  int open_now() const { return open_; }
  int open_at_most() const { return open_peak_; }

  void close(int fd) const override {
    --open_;
    Calls::close(fd);
  }
  /// A stream has a descriptor of its own.
  ::DIR* open_stream(int directory, int& error) const override {
    ::DIR* stream = nullptr;
    const int result = opened(FaultyCall::stream, [&] { return (stream = Calls::open_stream(directory, error)) ? 0 : -error; });
    error = result < 0 ? -result : 0;
    return stream;
  }
  void close_stream(::DIR* stream) const override {
    --open_;
    Calls::close_stream(stream);
  }
  void sleep(std::chrono::nanoseconds) const override { ++sleeps; }
  void raise_descriptor_limit(std::uint64_t) const override {}
  mutable std::atomic<unsigned> sleeps{0};

 protected:
  int open_once(const char* path, int flags) const override {
    return opened(FaultyCall::open, [&] { return Calls::open_once(path, flags); });
  }
  int openat_once(int directory, const char* name, int flags) const override {
    if (before_openat) before_openat(name);
    return opened(FaultyCall::openat, [&] { return Calls::openat_once(directory, name, flags); });
  }
  long getdents_once(int directory, std::span<std::byte> buffer) const override {
    if (!has_getdents) return -ENOSYS;
    if (directory < 0) return Calls::getdents_once(directory, buffer);  // whether there is such a call: none of the walk's
    if (const int error = fault(FaultyCall::getdents)) return -error;
    const long got = listing ? listing(directory, buffer) : Calls::getdents_once(directory, buffer);
    if (claim_type && got > 0) retype(buffer.first(std::size_t(got)));
    return got;
  }
  int statx_once(int directory, const char* name, int flags, unsigned mask, struct ::statx& out) const override {
    if (before_statx) before_statx(directory, name);
    const int error = fault(FaultyCall::statx);
    return error ? -error : Calls::statx_once(directory, name, flags, mask, out);
  }
  int fstatat_once(int directory, const char* name, int flags, struct ::stat& out) const override {
    const int error = fault(FaultyCall::fstatat);
    return error ? -error : Calls::fstatat_once(directory, name, flags, out);
  }
  int seek_once(int directory, std::int64_t position) const override {
    const int error = fault(FaultyCall::seek);
    return error ? -error : Calls::seek_once(directory, position);
  }
  int replace_once(int from, int onto) const override {
    const int error = fault(FaultyCall::replace);
    return error ? -error : Calls::replace_once(from, onto);
  }

 private:
  struct Rule {
    unsigned first = 0, count = 0;
    int error = 0;
  };

  int fault(FaultyCall call) const {
    const unsigned number = ++made_[std::size_t(call)];
    const auto rule = rules_.find(call);
    if (rule == rules_.end() || number < rule->second.first) return 0;
    return number - rule->second.first < rule->second.count ? rule->second.error : 0;
  }

  template <class Open>
  int opened(FaultyCall call, Open&& open) const {
    if (const int error = fault(call)) return -error;
    const int now = ++open_;  // read again, it might count others' attempts that are about to fail
    if (now > int(most_open)) return --open_, -EMFILE;
    const int fd = open();
    if (fd < 0) return --open_, fd;
    for (int peak = open_peak_; now > peak && !open_peak_.compare_exchange_weak(peak, now);) {
    }
    return fd;
  }

  void retype(std::span<std::byte> block) const {
    for (std::size_t at = 0; at + 19 <= block.size();) {
      std::uint16_t length = 0;
      std::memcpy(&length, &block[at + 16], sizeof length);
      block[at + 18] = std::byte(claim_type(static_cast<unsigned char>(block[at + 18])));
      at += length;
    }
  }

  std::map<FaultyCall, Rule> rules_;
  mutable std::array<std::atomic<unsigned>, kFaultyCalls.size()> made_{};
  mutable std::atomic<int> open_{0}, open_peak_{0};
};

}  // namespace pwalk::testing
