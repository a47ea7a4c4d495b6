#include "huge_pages.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <sstream>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

namespace pwalk::ipc {
namespace {

std::optional<std::uint64_t> number_in(const std::string& path) {
  std::ifstream file(path);
  std::uint64_t value = 0;
  if (!(file >> value)) return std::nullopt;
  return value;
}

std::uint64_t kilobytes(const std::string& line, const char* key) {
  unsigned long long value = 0;
  const std::string format = std::string(key) + ": %llu kB";
  return std::sscanf(line.c_str(), format.c_str(), &value) == 1 ? value * 1024 : 0;
}

}  // namespace

std::optional<std::uint64_t> free_reserved_pages(const std::string& directory) {
  const auto free = number_in(directory + "/free_hugepages");
  if (!free) return std::nullopt;
  const std::uint64_t promised = number_in(directory + "/resv_hugepages").value_or(0);
  return *free - std::min(*free, promised);
}

PageBacking page_backing_in(const std::string& smaps, std::uint64_t from, std::uint64_t bytes) {
  PageBacking backing;
  std::istringstream lines(smaps);
  bool inside = false;
  for (std::string line; std::getline(lines, line);) {
    unsigned long long begin = 0, end = 0;
    if (std::sscanf(line.c_str(), "%llx-%llx ", &begin, &end) == 2) {
      inside = begin >= from && end <= from + bytes;
      continue;
    }
    if (!inside) continue;
    backing.resident += kilobytes(line, "Rss");
    backing.transparent += kilobytes(line, "ShmemPmdMapped");
    backing.reserved += kilobytes(line, "Shared_Hugetlb") + kilobytes(line, "Private_Hugetlb");
  }
  return backing;
}

PageBacking page_backing(const void* address, std::size_t bytes) {
  std::ifstream file("/proc/self/smaps");
  std::stringstream text;
  text << file.rdbuf();
  return page_backing_in(text.str(), std::uint64_t(address), bytes);
}

int collapse(void* address, std::size_t bytes) {
  // EAGAIN: a page could not be isolated just now.
  for (int attempt = 0; attempt < 3; ++attempt) {
    if (::madvise(address, bytes, MADV_COLLAPSE) == 0) return 0;
    if (errno != EAGAIN) break;
  }
  return errno;
}

}  // namespace pwalk::ipc
