#pragma once

#include <sys/types.h>

#include "run/preload/call.h"
#include "run/preload/descriptors.h"

namespace pwalk::run {

/// getdents64(2) on a directory of the tree.
ssize_t read_records(Call& call, OpenEntry& open, void* buffer, std::size_t size);

}  // namespace pwalk::run
