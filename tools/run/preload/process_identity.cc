#include "run/preload/process_identity.h"

#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <new>

#include "run/preload/call.h"
#include "run/preload/descriptors.h"
#include "run/preload/image_lock.h"

namespace pwalk::run {
namespace {

// Stored by the loader's thread and by a forked child while it has one thread; relaxed
// loads elsewhere.
std::atomic<pid_t> owner{0};

void before_fork() {
  image_lock().lock();
  descriptors().before_fork();
}
void after_fork() {
  descriptors().after_fork();
  image_lock().unlock();
}
/// The child's thread has another number than the one that took the lock, so it could
/// not give it back: it gets a new one. Nobody else is there.
void after_fork_in_child() {
  owner.store(::getpid(), std::memory_order_relaxed);
  descriptors().after_fork();
  new (&image_lock()) std::shared_mutex;
}

/// Before the program can change its environment, from which the image is known.
[[gnu::constructor]] void begin() {
  const Call call;
  call.tree();
  owner.store(::getpid(), std::memory_order_relaxed);
  ::pthread_atfork(before_fork, after_fork, after_fork_in_child);
}

}  // namespace

bool own_process() {
  const pid_t known = owner.load(std::memory_order_relaxed);
  return known == 0 || known == ::getpid();
}

std::shared_mutex& image_lock() {
  static auto* const lock = new std::shared_mutex;
  return *lock;
}

}  // namespace pwalk::run
