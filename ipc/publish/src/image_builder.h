#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <thread>

#include "image_conclusion.h"
#include "pwalk/ipc/consumer.h"
#include "pwalk/publish/publisher.h"

namespace pwalk::publish {

/// Builds one image of a session's scan: a thread with an ordinary consumer, so
/// the scanner pays nothing but its pool. A failure ends the image and this
/// consumer, never the scan. Calls by the control thread.
class ImageBuilder {
 public:
  /// Starts attaching; the session's socket must be served meanwhile. `on_settled` is called
  /// once, by the builder's thread, when settled() has become true.
  ImageBuilder(ImageJob job, std::string scan_name, std::function<void()> on_settled);
  /// Waits for the thread, which ends soon once it was told to give_up().
  ~ImageBuilder();

  /// It reads, or has failed: the walk need not wait for it any longer.
  bool settled() const { return state_.load(std::memory_order_acquire) != State::attaching; }
  /// It is among the session's consumers.
  bool attached() const { return state_.load(std::memory_order_acquire) == State::reading; }
  /// The file is finished, or has been given up.
  bool done() const { return state_.load(std::memory_order_acquire) >= State::done; }
  /// It was among the session's consumers once.
  bool ever_attached() const { return ever_attached_.load(std::memory_order_relaxed); }

  /// Ends it at the next batch; the file is removed.
  void give_up() { given_up_.store(true, std::memory_order_relaxed); }
  /// Requires done().
  const ImageOutcome& outcome() const { return outcome_; }
  /// For who does not wait until it is done.
  const ImageNames& names() const { return names_; }

 private:
  enum class State : std::uint8_t { attaching, reading, finishing, done };

  void build();
  void settle(State state);
  Result<void> copy(ipc::Consumer& consumer);

  ImageJob job_;
  const ImageNames names_;
  std::string scan_name_;
  const std::function<void()> on_settled_;
  ImageOutcome outcome_;  // written by the thread before `done`
  // Stored (release) by the thread, loaded (acquire) by the control thread, which
  // reads outcome_ after `done`.
  std::atomic<State> state_{State::attaching};
  std::atomic<bool> ever_attached_{false};
  std::atomic<bool> given_up_{false};  // a hint between the two; relaxed
  std::thread thread_;
};

}  // namespace pwalk::publish
