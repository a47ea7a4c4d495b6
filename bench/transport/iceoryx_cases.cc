#include <fmt/format.h>
#include <unistd.h>

#include <cstring>

#include "carry.h"
#include "iceoryx_posh/popo/untyped_publisher.hpp"
#include "iceoryx_posh/popo/untyped_subscriber.hpp"
#include "iceoryx_posh/runtime/posh_runtime.hpp"

/// iceoryx: a chunk is borrowed, filled, published and read where it lies. Its
/// daemon, iox-roudi, must run; main starts it.
namespace pwalk::bench {
namespace {

constexpr std::uint64_t kQueue = 64;
/// The last message: no payload is as short.
constexpr std::uint32_t kEndBytes = 8;

iox::capro::ServiceDescription service() {
  return {"pwalk", "bench", iox::capro::IdString_t(iox::cxx::TruncateToCapacity, fmt::format("{}", ::getpgid(0)))};
}

class IceoryxChannel {
 public:
  explicit IceoryxChannel(Board&) {}
  IceoryxChannel(const IceoryxChannel&) = delete;
  IceoryxChannel& operator=(const IceoryxChannel&) = delete;

  void begin_sending() {
    join("sender");
    iox::popo::PublisherOptions options;
    options.subscriberTooSlowPolicy = iox::popo::ConsumerTooSlowPolicy::WAIT_FOR_CONSUMER;
    publisher_ = std::make_unique<iox::popo::UntypedPublisher>(service(), options);
    while (!publisher_->hasSubscribers()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  void begin_receiving() {
    join("reader");
    iox::popo::SubscriberOptions options;
    options.queueCapacity = kQueue;
    options.queueFullPolicy = iox::popo::QueueFullPolicy::BLOCK_PRODUCER;
    subscriber_ = std::make_unique<iox::popo::UntypedSubscriber>(service(), options);
    while (subscriber_->getSubscriptionState() != iox::SubscribeState::SUBSCRIBED)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  void send(const Payload& payload) { publish(payload.bytes.data(), std::uint32_t(payload.bytes.size())); }
  void finish() {
    publish(nullptr, kEndBytes);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  std::span<const std::byte> receive() {
    if (held_) subscriber_->release(held_);
    held_ = nullptr;
    for (;;) {
      auto taken = subscriber_->take();
      if (taken.has_error()) continue;
      held_ = taken.value();
      const std::uint32_t bytes = iox::mepoo::ChunkHeader::fromUserPayload(held_)->userPayloadSize();
      if (bytes == kEndBytes) return {};
      return {static_cast<const std::byte*>(held_), bytes};
    }
  }

 private:
  static void join(const char* role) {
    iox::runtime::PoshRuntime::initRuntime(
        iox::RuntimeName_t(iox::cxx::TruncateToCapacity, fmt::format("pwalk-bench-{}-{}", role, ::getpid())));
  }
  void publish(const void* bytes, std::uint32_t count) {
    for (;;) {
      auto loan = publisher_->loan(count);
      if (loan.has_error()) continue;
      if (bytes) std::memcpy(loan.value(), bytes, count);
      publisher_->publish(loan.value());
      return;
    }
  }

  std::unique_ptr<iox::popo::UntypedPublisher> publisher_;
  std::unique_ptr<iox::popo::UntypedSubscriber> subscriber_;
  const void* held_ = nullptr;
};

}  // namespace

void add_iceoryx_cases(std::vector<Case>& cases) {
  add_rows<IceoryxChannel>(cases, "iceoryx", {Workload::batches, Workload::records, Workload::reader_awake});
}

}  // namespace pwalk::bench
