#include "pwalk/ipc/consumer.h"

#include "consumer_session.h"

namespace pwalk::ipc {

Result<Consumer> Consumer::attach(const AttachOptions& options) {
  auto link = link_to_scanner(options);
  if (!link) return tl::unexpected(link.error());
  return Consumer(std::make_shared<ConsumerSession>(*std::move(link), options));
}

Consumer::Consumer(std::shared_ptr<ConsumerSession> session) : session_(std::move(session)) {}
Consumer::Consumer(Consumer&&) noexcept = default;
Consumer& Consumer::operator=(Consumer&& other) noexcept {
  if (this != &other) {
    if (session_) session_->detach();
    session_ = std::move(other.session_);
  }
  return *this;
}
Consumer::~Consumer() {
  if (session_) session_->detach();
}

Result<std::optional<BatchLease>> Consumer::next(std::chrono::milliseconds timeout) {
  return session_->next(timeout);
}
StreamEnd Consumer::end() const {
  return session_->end();
}
std::uint64_t Consumer::missed_rows() const {
  return session_->missed_rows();
}
ConsumerStats Consumer::stats() const {
  return session_->stats();
}
std::optional<ScanFigures> Consumer::scan_figures() const {
  return session_->scan_figures();
}
const std::string& Consumer::scan_name() const {
  return session_->scan_name();
}
pid_t Consumer::scanner_pid() const {
  return session_->scanner_pid();
}
void Consumer::detach() {
  session_->detach();
}
bool Consumer::in_pool(const void* address) const {
  return session_->in_pool(address);
}

}  // namespace pwalk::ipc
