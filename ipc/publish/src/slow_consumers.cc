#include "slow_consumers.h"

#include <fmt/format.h>

#include <algorithm>

namespace pwalk::publish {
namespace {

constexpr std::chrono::milliseconds kBetweenLooks{100};

/// Who reads on in the image loses nothing, so the scan waits for it no longer than it
/// takes to tell a slow reader from one that was just not scheduled.
constexpr std::chrono::milliseconds kBeforeImage{250};

/// None unless slow consumers are to be evicted. Beyond a year is for ever.
std::optional<std::chrono::nanoseconds> eviction_time(const PublishOptions& options) {
  if (options.resolved_on_slow() == OnSlow::image) return kBeforeImage;
  if (options.resolved_on_slow() != OnSlow::evict) return std::nullopt;
  const double seconds = std::min(options.evict_after.value, 365.0 * 24 * 3600);
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(seconds));
}

}  // namespace

SlowConsumers::SlowConsumers(ipc::ScanSession& session, const PublishOptions& options)
    : session_(session), to_image_(options.resolved_on_slow() == OnSlow::image), evict_after_(eviction_time(options)) {}

std::vector<ipc::ConsumerStatus> SlowConsumers::watch(Clock::time_point now) {
  if (now < next_look_) return {};
  next_look_ = now + kBetweenLooks;
  auto evicted = session_.watch_slow_consumers(evict_after_, to_image_);
  now_.clear();
  if (session_.starved()) now_ = session_.consumers();
  std::erase_if(now_, [](const ipc::ConsumerStatus& consumer) { return !consumer.holding_back; });
  for (const ipc::ConsumerStatus& consumer : now_) remember(consumer);
  for (const ipc::ConsumerStatus& consumer : evicted) remember(consumer);
  return evicted;
}

void SlowConsumers::remember(const ipc::ConsumerStatus& consumer) {
  const auto same = [&](const SlowConsumer& slow) { return slow.pid == consumer.pid && slow.label == consumer.label; };
  auto found = std::find_if(all_.begin(), all_.end(), same);
  if (found == all_.end()) {
    if (all_.size() == Outcome::kMostSlowConsumers) return;
    all_.push_back({.label = consumer.label, .command = consumer.command, .pid = consumer.pid});
    found = all_.end() - 1;
  }
  found->seconds = std::max(found->seconds, consumer.holding_back_seconds);
  found->evicted |= consumer.evicted;
}

SlowConsumers::Clock::duration SlowConsumers::longest_wait() const {
  double seconds = 0;
  for (const ipc::ConsumerStatus& consumer : now_) seconds = std::max(seconds, consumer.holding_back_seconds);
  return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

std::string SlowConsumers::to_text() const {
  std::string text = "pool full";
  const char* separator = ": ";
  for (const ipc::ConsumerStatus& consumer : now_) {
    text += fmt::format("{}{} holds back the scan for {:.1f} s", separator, consumer.who(), consumer.holding_back_seconds);
    separator = "; ";
  }
  return text;
}

}  // namespace pwalk::publish
