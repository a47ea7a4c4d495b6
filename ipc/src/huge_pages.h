#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

/// What the machine offers in 2 MiB pages, and what a mapping really got.
/// Asking is not getting: MADV_HUGEPAGE on a memfd returns 0 and does nothing
/// where shmem_enabled is `never`, so the answer is read from smaps.
namespace pwalk::ipc {

/// 2 MiB pages of the machine's reserve that nobody has taken or reserved
/// (free_hugepages - resv_hugepages); nullopt: this kernel has none of that size.
/// `directory` is for tests.
std::optional<std::uint64_t> free_reserved_pages(
    const std::string& directory = "/sys/kernel/mm/hugepages/hugepages-2048kB");

/// How many bytes of [address, address + bytes) are mapped by what.
struct PageBacking {
  std::uint64_t reserved = 0;     ///< hugetlb pages
  std::uint64_t transparent = 0;  ///< mapped by PMD (ShmemPmdMapped)
  std::uint64_t resident = 0;     ///< at all
};
PageBacking page_backing(const void* address, std::size_t bytes);

/// The same from the text of /proc/PID/smaps.
PageBacking page_backing_in(const std::string& smaps, std::uint64_t from, std::uint64_t bytes);

/// Turns the extents of a memfd mapping that hold at least one page into huge
/// pages (MADV_COLLAPSE, Linux 6.1). The mapping must be 2 MiB aligned. Returns 0
/// or the errno of the first extent that could not be had.
int collapse(void* address, std::size_t bytes);

}  // namespace pwalk::ipc
