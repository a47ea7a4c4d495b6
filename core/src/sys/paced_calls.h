#pragma once

#include <atomic>

#include "sys/calls.h"
#include "sys/operation_pace.h"

namespace pwalk::sys {

/// Another table of calls, with a cap on how many metadata calls are made in a second,
/// all threads together: open, getdents, statx, fstatat, seek, and each one of those
/// that is made again. readdir counts per entry, since nobody can see when it asks the
/// kernel. Closing is free: it gives something back.
class PacedCalls final : public Calls {
 public:
  /// Once `stop` is set, turns are no longer waited for: each thread makes the call
  /// it is at and notices. `calls` and `stop` outlive this.
  PacedCalls(const Calls& calls, std::uint64_t per_second, const std::atomic<bool>& stop)
      : calls_(calls), stop_(stop), pace_(per_second) {}

  void close(int fd) const override { calls_.close(fd); }
  ::DIR* open_stream(int directory, int& error) const override { return calls_.open_stream(directory, error); }
  const ::dirent* read_stream(::DIR* stream, int& error) const override;
  void close_stream(::DIR* stream) const override { calls_.close_stream(stream); }
  Result<std::string> current_directory() const override { return calls_.current_directory(); }
  Result<std::string> read_file(const std::string& path) const override { return calls_.read_file(path); }
  std::uint64_t filesystem_magic(int fd) const override { return calls_.filesystem_magic(fd); }
  std::uint64_t filesystem_magic(const char* path) const override { return calls_.filesystem_magic(path); }
  DescriptorLimit descriptor_limit() const override { return calls_.descriptor_limit(); }
  void raise_descriptor_limit(std::uint64_t soft) const override { calls_.raise_descriptor_limit(soft); }
  unsigned usable_cpus() const override { return calls_.usable_cpus(); }
  std::uint64_t monotonic_ns() const override { return calls_.monotonic_ns(); }
  std::uint64_t service_ns() const override;
  std::uint64_t voluntary_switches() const override { return calls_.voluntary_switches(); }
  std::uint64_t coarse_ns() const override { return calls_.coarse_ns(); }
  void sleep(std::chrono::nanoseconds span) const override { calls_.sleep(span); }

 protected:
  int open_once(const char* path, int flags) const override;
  int openat_once(int directory, const char* name, int flags) const override;
  long getdents_once(int directory, std::span<std::byte> buffer) const override;
  int statx_once(int directory, const char* name, int flags, unsigned mask, struct ::statx& out) const override;
  int fstatat_once(int directory, const char* name, int flags, struct ::stat& out) const override;
  int seek_once(int directory, std::int64_t position) const override;
  int replace_once(int from, int onto) const override { return calls_.replace_once(from, onto); }

  long readlinkat_once(int directory, const char* name, std::span<char> text) const override;
  long lgetxattr_once(const char* path, const char* attribute, std::span<std::byte> value) const override;
  int ioctl_once(int fd, unsigned long request, void* answer) const override;
  int project_by_name_once(int directory, const char* name, std::uint32_t& project) const override;
  int project_of_once(int fd, std::uint32_t& project) const override;

 private:
  void await_turn() const;

  const Calls& calls_;
  const std::atomic<bool>& stop_;
  mutable OperationPace pace_;
};

}  // namespace pwalk::sys
