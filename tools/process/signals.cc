#include "process/signals.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <string_view>

#include "process/message.h"

namespace pwalk::tools {
namespace {

// Written by handlers, read by loops; they stand for themselves and order
// nothing, hence relaxed. Lock-free, as signal-safety(7) asks.
std::atomic<int> stops{0};
std::atomic<bool> progress_wanted{false};
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<bool>::is_always_lock_free);

void on_stop(int) { stops.fetch_add(1, std::memory_order_relaxed); }
void on_progress(int) { progress_wanted.store(true, std::memory_order_relaxed); }

void handle(int signal, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  sigemptyset(&action.sa_mask);
  ::sigaction(signal, &action, nullptr);
}

// Nothing can be gone on with: the instruction that met the missing page would meet it again.
void end_for_truncated_file(int) {
  constexpr std::string_view kLine = "pwalk: the image was truncated while it was read\n";
  static_cast<void>(!::write(STDERR_FILENO, kLine.data(), kLine.size()));
  ::_exit(kCutShort);
}

bool is_ignored(int signal) {
  struct sigaction action {};
  return ::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

}  // namespace

void watch_signals() {
  handle(SIGINT, on_stop);
  handle(SIGTERM, on_stop);
  if (!is_ignored(SIGHUP)) handle(SIGHUP, on_stop);
  handle(SIGUSR1, on_progress);
  handle(SIGPIPE, SIG_IGN);
}

void guard_against_truncation() { handle(SIGBUS, end_for_truncated_file); }

int stop_requests() { return stops.load(std::memory_order_relaxed); }

bool take_progress_request() { return progress_wanted.exchange(false, std::memory_order_relaxed); }

}  // namespace pwalk::tools
