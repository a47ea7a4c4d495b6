#pragma once

#include <shared_mutex>

namespace pwalk::run {

/// Held shared while the image is read and alone while the process forks, so that a
/// child never inherits one of the image's own locks in another thread's hands.
std::shared_mutex& image_lock();

}  // namespace pwalk::run
