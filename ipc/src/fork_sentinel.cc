#include "fork_sentinel.h"

#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

namespace pwalk::ipc {
namespace {
constexpr std::size_t kPage = 4096;
}

ForkSentinel::ForkSentinel() : owner_(::getpid()) {
  void* page = ::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return;
  if (::madvise(page, kPage, MADV_WIPEONFORK) != 0) {
    ::munmap(page, kPage);
    return;
  }
  page_ = static_cast<unsigned*>(page);
  *page_ = 1;
}

ForkSentinel::~ForkSentinel() {
  if (page_) ::munmap(const_cast<unsigned*>(page_), kPage);
}

bool ForkSentinel::in_child() const {
  return page_ ? *page_ == 0 : ::getpid() != owner_;
}

}  // namespace pwalk::ipc
