#pragma once

#include <dirent.h>
#include <sys/stat.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "pwalk/base/result.h"

namespace pwalk::sys {

/// Descriptors this process may have open: getrlimit(RLIMIT_NOFILE).
struct DescriptorLimit {
  std::uint64_t soft = 0;
  std::uint64_t hard = 0;
};

/// Every system call of a walk, in one table. The public functions are what the
/// walk uses; the virtual ones below are what a test replaces. Stateless here,
/// and called by all workers at once.
///
/// Results are >= 0, or a negated errno. A call that was interrupted (EINTR,
/// EAGAIN) is made again, here and nowhere else, up to kMostRepeats times; after
/// that the interruption is the answer, so that nothing can spin for ever.
struct Calls {
  static constexpr unsigned kMostRepeats = 10'000;

  virtual ~Calls() = default;

  /// open(2) relative to the working directory.
  int open(const char* path, int flags) const {
    return persist([&] { return open_once(path, flags); });
  }
  /// openat(2); `name` is one component.
  int openat(int directory, const char* name, int flags) const {
    return persist([&] { return openat_once(directory, name, flags); });
  }
  /// getdents64(2): bytes written, 0 at the end.
  long getdents(int directory, std::span<std::byte> buffer) const {
    return persist([&] { return getdents_once(directory, buffer); });
  }
  /// statx(2).
  int statx(int directory, const char* name, int flags, unsigned mask, struct ::statx& out) const {
    return persist([&] { return statx_once(directory, name, flags, mask, out); });
  }
  /// newfstatat(2).
  int fstatat(int directory, const char* name, int flags, struct ::stat& out) const {
    return persist([&] { return fstatat_once(directory, name, flags, out); });
  }
  /// Sets the position of an open directory to a d_off that it gave out.
  int seek(int directory, std::int64_t position) const {
    return persist([&] { return seek_once(directory, position); });
  }
  /// dup3(2): `onto` becomes another name of what `from` is open on.
  int replace(int from, int onto) const {
    return persist([&] { return replace_once(from, onto); });
  }
  /// readlinkat(2): bytes of the link's text, no NUL after them.
  long readlinkat(int directory, const char* name, std::span<char> text) const {
    return persist([&] { return readlinkat_once(directory, name, text); });
  }
  /// lgetxattr(2).
  long lgetxattr(const char* path, const char* attribute, std::span<std::byte> value) const {
    return persist([&] { return lgetxattr_once(path, attribute, value); });
  }
  /// ioctl(2) that reads; `answer` is as large as the request says.
  int ioctl(int fd, unsigned long request, void* answer) const {
    return persist([&] { return ioctl_once(fd, request, answer); });
  }
  /// file_getattr(2), Linux 6.17: the project id of `name`, a link not followed.
  int project_by_name(int directory, const char* name, std::uint32_t& project) const {
    return persist([&] { return project_by_name_once(directory, name, project); });
  }
  /// The same of an open object: FS_IOC_FSGETXATTR.
  int project_of(int fd, std::uint32_t& project) const {
    return persist([&] { return project_of_once(fd, project); });
  }
  /// close(2), never repeated: Linux has let go of the descriptor even on EINTR.
  virtual void close(int fd) const;

  /// readdir(3) and its neighbours, for walks without getdents64. The stream
  /// reads a duplicate of `directory`. Null: `error` has the errno.
  virtual ::DIR* open_stream(int directory, int& error) const;
  /// Null at the end (`error` is 0) or on failure.
  virtual const ::dirent* read_stream(::DIR* stream, int& error) const;
  virtual void close_stream(::DIR* stream) const;

  virtual Result<std::string> current_directory() const;
  /// A whole small file: mountinfo, a list of globs.
  virtual Result<std::string> read_file(const std::string& path) const;
  /// f_type of fstatfs(2); 0 if it cannot be told.
  virtual std::uint64_t filesystem_magic(int fd) const;
  /// The same of a path, links followed.
  virtual std::uint64_t filesystem_magic(const char* path) const;
  virtual DescriptorLimit descriptor_limit() const;
  /// Sets the soft limit; what cannot be set stays as it is.
  virtual void raise_descriptor_limit(std::uint64_t soft) const;
  /// CPUs this process may run on; at least 1.
  virtual unsigned usable_cpus() const;
  /// Which they are, ascending; empty if it cannot be told.
  virtual std::vector<unsigned> usable_cpu_list() const;
  /// Keeps the calling thread on these CPUs: 0 or a negated errno.
  virtual int keep_on(std::span<const unsigned> cpus) const;
  /// Whether io_uring can be had; the error says why not.
  virtual Result<void> try_uring() const;

  /// CLOCK_MONOTONIC, ns.
  virtual std::uint64_t monotonic_ns() const;
  /// CLOCK_MONOTONIC_COARSE, ns: cheaper, and a few milliseconds coarse.
  virtual std::uint64_t coarse_ns() const;
  /// Times that threads of this process gave up their CPU to wait for something.
  virtual std::uint64_t voluntary_switches() const;
  virtual void sleep(std::chrono::nanoseconds span) const;
  /// For timing calls: CLOCK_MONOTONIC less what this thread was made to wait for its
  /// turn (PacedCalls). Only differences within one thread mean anything.
  virtual std::uint64_t service_ns() const { return monotonic_ns(); }

 protected:
  virtual int open_once(const char* path, int flags) const;
  virtual int openat_once(int directory, const char* name, int flags) const;
  virtual long getdents_once(int directory, std::span<std::byte> buffer) const;
  virtual int statx_once(int directory, const char* name, int flags, unsigned mask, struct ::statx& out) const;
  virtual int fstatat_once(int directory, const char* name, int flags, struct ::stat& out) const;
  virtual int seek_once(int directory, std::int64_t position) const;
  virtual int replace_once(int from, int onto) const;
  virtual long readlinkat_once(int directory, const char* name, std::span<char> text) const;
  virtual long lgetxattr_once(const char* path, const char* attribute, std::span<std::byte> value) const;
  virtual int ioctl_once(int fd, unsigned long request, void* answer) const;
  virtual int project_by_name_once(int directory, const char* name, std::uint32_t& project) const;
  virtual int project_of_once(int fd, std::uint32_t& project) const;

 private:
  friend class PacedCalls;  ///< puts itself between the two layers

  template <class Call>
  static std::invoke_result_t<Call> persist(Call&& call) {
    auto result = call();
    for (unsigned again = 0; (result == -EINTR || result == -EAGAIN) && again < kMostRepeats; ++again)
      result = call();
    return result;
  }
};

/// The kernel's own; immortal.
const Calls& real_calls();

}  // namespace pwalk::sys
