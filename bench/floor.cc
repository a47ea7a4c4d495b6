// The floor: what the kernel alone charges for listing and stat'ing a tree.
//
//   floor [-t THREADS] [-n] DIRECTORY        -n: names only, no statx
//
// getdents64 and statx relative to the directory's descriptor, directories shared between threads by stealing, and
// nothing else: no record is made, no path is built, no error is kept beyond its count. What any walker that asks for
// attributes takes longer than this is its own doing. Prints one line of JSON.
#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace {

/// A directory's descriptor, open for as long as a child of it waits to be opened.
class OpenDirectory {
 public:
  explicit OpenDirectory(int fd) : fd_(fd) {}
  OpenDirectory(const OpenDirectory&) = delete;
  OpenDirectory& operator=(const OpenDirectory&) = delete;
  ~OpenDirectory() {
    if (fd_ >= 0) close(fd_);
  }
  int fd() const { return fd_; }

 private:
  int fd_;
};

struct Task {
  std::shared_ptr<OpenDirectory> parent;
  std::string name;
};

/// One thread's waiting directories: it works on the newest, thieves take the oldest half.
class TaskStack {
 public:
  void push(Task task) {
    std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  std::optional<Task> pop() {
    std::lock_guard lock(mutex_);
    if (tasks_.empty()) return std::nullopt;
    Task task = std::move(tasks_.back());
    tasks_.pop_back();
    return task;
  }
  std::deque<Task> oldest_half() {
    std::lock_guard lock(mutex_);
    std::deque<Task> taken;
    for (std::size_t left = (tasks_.size() + 1) / 2; left > 0; --left) {
      taken.push_back(std::move(tasks_.front()));
      tasks_.pop_front();
    }
    return taken;
  }

 private:
  std::mutex mutex_;
  std::deque<Task> tasks_;
};

struct alignas(128) Tally {
  std::uint64_t entries = 0, directories = 0, errors = 0;
  std::uint64_t sum = 0;  ///< of what statx told, so that nothing is optimised away
};

class Floor {
 public:
  Floor(unsigned threads, bool stat) : stat_(stat), stacks_(threads), tallies_(threads) {}

  Tally walk(const char* root) {
    pending_ = 1;
    stacks_[0].push(Task{std::make_shared<OpenDirectory>(AT_FDCWD), root});
    {
      std::vector<std::jthread> crew;
      for (unsigned worker = 0; worker < stacks_.size(); ++worker) crew.emplace_back([this, worker] { work(worker); });
    }
    Tally total;
    for (const Tally& each : tallies_) {
      total.entries += each.entries;
      total.directories += each.directories;
      total.errors += each.errors;
      total.sum += each.sum;
    }
    return total;
  }

 private:
  static constexpr std::size_t kBufferBytes = 64 * 1024;

  void work(unsigned worker) {
    const std::unique_ptr<char[]> buffer(new char[kBufferBytes]);
    while (pending_.load(std::memory_order_acquire) > 0) {
      auto task = stacks_[worker].pop();
      if (!task) task = steal(worker);
      if (!task) {
        std::this_thread::yield();
        continue;
      }
      read_directory(worker, *task, buffer.get());
      pending_.fetch_sub(1, std::memory_order_acq_rel);
    }
  }

  std::optional<Task> steal(unsigned thief) {
    for (std::size_t step = 1; step < stacks_.size(); ++step) {
      auto taken = stacks_[(thief + step) % stacks_.size()].oldest_half();
      if (taken.empty()) continue;
      Task first = std::move(taken.front());
      taken.pop_front();
      for (Task& task : taken) stacks_[thief].push(std::move(task));
      return first;
    }
    return std::nullopt;
  }

  void read_directory(unsigned worker, const Task& task, char* buffer) {
    Tally& tally = tallies_[worker];
    const int fd = openat(task.parent->fd(), task.name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
      ++tally.errors;
      return;
    }
    ++tally.directories;
    const auto directory = std::make_shared<OpenDirectory>(fd);
    for (;;) {
      const long filled = syscall(SYS_getdents64, fd, buffer, kBufferBytes);
      if (filled < 0) ++tally.errors;
      if (filled <= 0) return;
      for (long at = 0; at < filled;) {
        // The kernel's record is what glibc calls dirent64: inode, offset, length, type, name.
        const auto* entry = reinterpret_cast<const dirent64*>(buffer + at);
        at += entry->d_reclen;
        visit(worker, directory, *entry);
      }
    }
  }

  static bool is_dot(const char* name) {
    return name[0] == '.' && (name[1] == 0 || (name[1] == '.' && name[2] == 0));
  }

  void visit(unsigned worker, const std::shared_ptr<OpenDirectory>& directory, const dirent64& entry) {
    if (is_dot(entry.d_name)) return;
    Tally& tally = tallies_[worker];
    ++tally.entries;
    bool is_directory = entry.d_type == DT_DIR;
    if (stat_ || entry.d_type == DT_UNKNOWN) {
      struct statx told;
      if (statx(directory->fd(), entry.d_name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC,
                STATX_BASIC_STATS | STATX_BTIME, &told) != 0) {
        ++tally.errors;
        return;
      }
      is_directory = S_ISDIR(told.stx_mode);
      tally.sum += told.stx_size + told.stx_ino + told.stx_uid + std::uint64_t(told.stx_mtime.tv_sec);
    }
    if (!is_directory) return;
    pending_.fetch_add(1, std::memory_order_relaxed);
    stacks_[worker].push(Task{directory, entry.d_name});
  }

  bool stat_;
  std::vector<TaskStack> stacks_;
  std::vector<Tally> tallies_;
  std::atomic<std::int64_t> pending_{0};  ///< directories pushed and not yet read; workers end at 0
};

[[noreturn]] void refuse() {
  std::fprintf(stderr, "usage: floor [-t THREADS from 1 to 1024] [-n] DIRECTORY\n");
  std::exit(2);
}

}  // namespace

int main(int argc, char** argv) {
  unsigned threads = std::max(1u, std::thread::hardware_concurrency());
  bool stat = true;
  for (int option; (option = getopt(argc, argv, "t:n")) != -1;) {
    if (option == 't')
      threads = unsigned(std::strtoul(optarg, nullptr, 10));
    else if (option == 'n')
      stat = false;
    else
      refuse();
  }
  if (threads < 1 || threads > 1024 || optind + 1 != argc) refuse();
  rlimit descriptors{};
  getrlimit(RLIMIT_NOFILE, &descriptors);
  descriptors.rlim_cur = descriptors.rlim_max;
  setrlimit(RLIMIT_NOFILE, &descriptors);

  const auto start = std::chrono::steady_clock::now();
  const Tally total = Floor(threads, stat).walk(argv[optind]);
  const double wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::printf("{\"entries\": %lu, \"directories\": %lu, \"errors\": %lu, \"wall_seconds\": %.6f, \"sum\": %lu}\n",
              total.entries, total.directories, total.errors, wall, total.sum);
  return total.errors == 0 ? 0 : 1;
}
