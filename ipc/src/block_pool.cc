#include "block_pool.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "huge_pages.h"
#include "layout.h"
#include "memfd.h"
#include "memory_limit.h"
#include "memory_node.h"

#ifndef MFD_HUGE_2MB
#define MFD_HUGE_2MB (21U << 26)
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

namespace pwalk::ipc {
namespace {

constexpr std::uint64_t kLeastPool = kHugePage;

/// Pools up to this size are there from the start, so that they take the same memory
/// whatever is scanned; of larger ones a first part, with which a short scan may do.
constexpr std::uint64_t kSmallPool = std::uint64_t{64} << 20;
constexpr std::uint64_t kFirstPart = std::uint64_t{16} << 20;
constexpr std::uint64_t kPart = std::uint64_t{8} << 20;  ///< a millisecond with huge pages, four with small ones

/// What else the machine should have left when a pool grows.
constexpr std::uint64_t kLeaveFree = std::uint64_t{64} << 20;

/// Small pages that are timed to know what the machine takes for one.
constexpr std::size_t kTimedPages = 64;

constexpr std::uint64_t kMostPool = std::uint64_t{1} << 42;  // its units fit in one lane's ring

/// Why `automatic` does not take the reserve, or "" if it does.
std::string reserve_refusal(std::uint64_t bytes) {
  const auto free = free_reserved_pages();
  const std::uint64_t wanted = align_up(bytes, kHugePage) / kHugePage;
  if (!free) return "no 2 MiB pages on this machine";
  if (wanted <= *free / 2) return "";
  return fmt::format(
      "the pool needs {} reserved 2 MiB pages, and only half of the {} free ones are taken unasked", wanted,
      *free);
}

std::chrono::nanoseconds cpu_time_of_this_thread() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

/// Longest that making a huge page may take, in CPU time since on a busy machine any call takes long. What takes longer
/// was put together from pieces, which costs more than it ever saves: 2 ms, or the first touches of 512 small pages by
/// the scanner and by one reader. These take a tenth of it on bare metal, and up to 13 µs each where a hypervisor keeps
/// page tables of its own.
std::chrono::nanoseconds longest_collapse() {
  constexpr std::chrono::milliseconds least{2};
  constexpr std::size_t page = 4096, bytes = kTimedPages * page;
  void* const pages = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) return least;
  ::madvise(pages, bytes, MADV_NOHUGEPAGE);
  const auto start = cpu_time_of_this_thread();
  for (std::size_t at = 0; at < bytes; at += page) static_cast<volatile std::byte*>(pages)[at] = std::byte{1};
  const auto each = (cpu_time_of_this_thread() - start) / kTimedPages;
  ::munmap(pages, bytes);
  return std::max<std::chrono::nanoseconds>(least, 2 * (kHugePage / page) * each);
}

/// Refuses what would only end in the OOM killer: allocation on a memfd does not
/// fail by itself before the machine or the cgroup is full.
Result<void> check_available(std::uint64_t bytes) {
  const std::uint64_t available = available_memory();
  if (bytes <= available) return {};
  return fail(ENOMEM, fmt::format("a pool of {} MiB does not fit in the {} MiB of memory that are available",
                                  bytes >> 20, available >> 20));
}

}  // namespace

Result<BlockPool> BlockPool::create(std::uint64_t bytes, HugePages huge_pages, const Nodes& nodes) {
  if (bytes < kLeastPool || bytes > kMostPool)
    return fail(EINVAL, fmt::format("a pool of {} bytes: allowed are 2M to 4T", bytes));
  bytes = align_up(bytes, kBlockBytes);
  if (huge_pages == HugePages::require) return reserved(bytes, nodes);
  if (huge_pages == HugePages::off) return ordinary(bytes, false, nodes);
  std::string reason = reserve_refusal(bytes);
  if (reason.empty()) {
    auto pool = reserved(bytes, nodes);
    if (pool) return pool;
    reason = pool.error().message();
  }
  auto pool = ordinary(bytes, true, nodes);
  if (pool) pool->reason_ = pool->reason_.empty() ? reason : reason + "; " + pool->reason_;
  return pool;
}

std::uint32_t BlockPool::blocks() const {
  return std::uint32_t(bytes() / kBlockBytes);
}

std::optional<unsigned> BlockPool::node_of(std::uint16_t home) const {
  return nodes_.empty() ? std::nullopt : std::optional(nodes_[home]);
}

/// Each node's share of the first `bytes`.
template <class Make>
Result<void> BlockPool::make_first(std::uint64_t bytes, Make&& make) {
  const std::uint64_t homes = std::max<std::size_t>(1, nodes_.size());
  const std::uint64_t share = align_up((bytes + homes - 1) / homes, kHugePage);
  for (std::uint16_t home = 0; ready() < bytes; ++home)
    if (auto made = make_part(std::min(bytes, ready() + share), home, make); !made) return made;
  return {};
}

/// Calls make(from, bytes) with the calling thread's memory on the home-th node.
template <class Make>
Result<void> BlockPool::make_part(std::uint64_t end, std::uint16_t home, Make&& make) {
  const OnMemoryNode here(node_of(home));
  if (Result<void> made = make(ready(), end - ready()); !made) return made;
  parts_.push_back({end, home});
  return {};
}

Result<BlockPool> BlockPool::reserved(std::uint64_t bytes, const Nodes& nodes) {
  bytes = align_up(bytes, kHugePage);
  const std::uint64_t wanted = bytes / kHugePage;
  const std::string shortage =
      fmt::format("a pool of {} MiB needs {} reserved 2 MiB pages, {} are free (vm.nr_hugepages)",
                  bytes >> 20, wanted, free_reserved_pages().value_or(0));
  auto fd = create_memfd("pwalk-pool", bytes, MFD_HUGETLB | MFD_HUGE_2MB);
  if (!fd) return fail(ENOMEM, shortage);
  BlockPool pool;
  pool.nodes_ = nodes;
  // fallocate before the mapping's own reservation: it fails cleanly, and what it got goes with the memfd.
  const auto made = pool.make_first(bytes, [&](std::uint64_t from, std::uint64_t part) { return allocate(fd->get(), from, part); });
  if (!made) return fail(ENOMEM, shortage);
  auto mapping = Mapping::map(fd->get(), bytes, Access::read_write, kHugePage);
  if (!mapping) return fail(ENOMEM, shortage);
  pool.mapping_ = *std::move(mapping);
  ::madvise(pool.data(), bytes, MADV_POPULATE_WRITE);
  if (auto sealed = seal(fd->get(), true); !sealed) return tl::unexpected(sealed.error());
  pool.fd_ = *std::move(fd);
  pool.pages_ = "2M reserved";
  return pool;
}

Result<BlockPool> BlockPool::ordinary(std::uint64_t bytes, bool transparent, const Nodes& nodes) {
  if (auto room = check_available(bytes); !room) return tl::unexpected(room.error());
  auto fd = create_memfd("pwalk-pool", bytes);
  if (!fd) return tl::unexpected(fd.error());
  auto mapping = Mapping::map(fd->get(), bytes, Access::read_write, kHugePage);
  if (!mapping) return tl::unexpected(mapping.error());
  BlockPool pool;
  pool.mapping_ = *std::move(mapping);
  pool.fd_ = *std::move(fd);
  pool.nodes_ = nodes;
  pool.transparent_ = transparent;
  if (transparent) pool.longest_collapse_ = longest_collapse();
  const auto made = pool.make_first(bytes <= kSmallPool ? bytes : kFirstPart,
                                    [&](std::uint64_t from, std::uint64_t part) { return pool.prepare(from, part); });
  if (!made) return tl::unexpected(made.error());
  if (auto sealed = seal(pool.fd(), true); !sealed) return tl::unexpected(sealed.error());
  pool.describe(transparent);
  return pool;
}

Result<std::uint64_t> BlockPool::grow(std::uint16_t home) {
  const std::uint64_t end = std::min(bytes(), ready() + kPart);
  if (end > checked_) {
    if (auto room = check_available(kFirstPart + kLeaveFree); !room) return tl::unexpected(room.error());
    checked_ = ready() + kFirstPart;
  }
  const auto made = make_part(end, home, [this](std::uint64_t from, std::uint64_t part) { return prepare(from, part); });
  if (!made) return tl::unexpected(made.error());
  return ready();
}

Result<void> BlockPool::prepare(std::uint64_t from, std::uint64_t bytes) {
  if (transparent_) collapse_part(from, bytes);
  // Allocates, and makes the page tables, which saves the workers a fault per page. What cannot be had is an errno and
  // no SIGBUS. Refused before Linux 5.14.
  if (::madvise(data() + from, bytes, MADV_POPULATE_WRITE) != 0)
    if (auto filled = allocate(fd(), from, bytes); !filled) return filled;
  return {};
}

/// One page per 2 MiB extent, so that collapsing it makes the huge page directly:
/// filling it first costs the zeroing and copying of 512 small pages more.
void BlockPool::collapse_part(std::uint64_t from, std::uint64_t bytes) {
  const std::uint64_t whole = bytes / kHugePage * kHugePage;
  if (whole == 0) return;
  const auto start = cpu_time_of_this_thread();
  for (std::uint64_t at = from; at < from + whole; at += kHugePage)
    if (!allocate(fd(), at, 4096)) return;
  // All at once: each call begins by having every CPU empty its list of pages.
  collapse_error_ = collapse(data() + from, whole);
  const bool dear = cpu_time_of_this_thread() - start > longest_collapse_ * (1 + whole / kHugePage);
  if (collapse_error_ != 0 || dear) transparent_ = false;
}

// Of the first part, which is like the rest.
void BlockPool::describe(bool transparent) {
  const std::uint64_t huge = page_backing(data(), bytes()).transparent;
  const std::uint64_t possible = ready() / kHugePage * kHugePage;
  pages_ = huge >= possible ? "2M transparent" : huge > 0 ? "2M transparent (part)" : "4K";
  if (transparent && huge < possible)
    reason_ = fmt::format("MADV_COLLAPSE: {}", collapse_error_ ? std::strerror(collapse_error_) : transparent_ ? "not obeyed" : "took too long");
  if (ready() < bytes()) reason_ += fmt::format("{}the first {} MiB are there, the rest is made as it is needed", reason_.empty() ? "" : "; ", ready() >> 20);
}

}  // namespace pwalk::ipc
