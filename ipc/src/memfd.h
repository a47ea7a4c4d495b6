#pragma once

#include <cstdint>

#include "pwalk/base/result.h"
#include "pwalk/base/unique_fd.h"

/// Anonymous shared memory (memfd_create(2)): no name that could be planted,
/// squatted or left behind; the kernel frees it with its last descriptor and mapping.
namespace pwalk::ipc {

/// Makes an empty memfd of `bytes`. `flags` are added to close-on-exec and sealing.
Result<UniqueFd> create_memfd(const char* name, std::uint64_t bytes, unsigned flags = 0);

/// Allocates every page of [offset, offset + bytes), so that touching one can
/// never raise SIGBUS. ENOSPC, ENOMEM.
Result<void> allocate(int fd, std::uint64_t offset, std::uint64_t bytes);

/// Fixes the size for good (SHRINK, GROW) and forbids further seals. With
/// `read_only` nobody can map it writable or write to it again either; mappings
/// that exist stay (F_SEAL_FUTURE_WRITE, Linux 5.1).
Result<void> seal(int fd, bool read_only);

/// The receiver's check before it maps a descriptor that came from elsewhere: it
/// cannot shrink, and has at least `bytes`. EPROTO.
Result<void> expect_sealed(int fd, std::uint64_t bytes);

}  // namespace pwalk::ipc
