/// A process of its own for the tests: a scanner or a consumer that does as its
/// arguments say and tells on stdout, line by line, what has happened.
///
///   actor produce NAME [pool=BYTES] [batches=N] [rows=N] [consumers=N] [name_bytes=N] [lease_ms=N] [group_linger_ms=N] [linger=0|1]
///   [child=0|1]
///       "ready", then "published ROWS" after each batch, then "finished"
///   actor consume NAME [start=first|oldest|now] [pause_us=N] [hold=N] [stop_after=BATCHES] [freeze_after=BATCHES] [timeout_ms=N]
///   [child=0|1] [group=NAME] [die_at_end=0|1] [rank=N world=N] [tell=0|1]
///       "attached MISSED", with tell=1 "batch FIRST_ROW ROWS REDELIVERED" for each when done with it, then at the end "end=WORD rows=N batches=N verdict=WORD"; with stop_after
///       "stopped" and it sleeps
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <deque>
#include <map>
#include <string>
#include <thread>

#include "ipc/scan_fixture.h"
#include "pwalk/ipc/consumer.h"

namespace pwalk::ipc::testing {
namespace {

using namespace std::chrono_literals;

class Arguments {
 public:
  Arguments(int count, char** words) {
    for (int i = 3; i < count; ++i) {
      const std::string word = words[i];
      const auto equals = word.find('=');
      values_[word.substr(0, equals)] = word.substr(equals + 1);
    }
  }
  std::uint64_t number(const std::string& key, std::uint64_t otherwise) const {
    const auto found = values_.find(key);
    return found == values_.end() ? otherwise : std::strtoull(found->second.c_str(), nullptr, 0);
  }
  std::string text(const std::string& key, const std::string& otherwise) const {
    const auto found = values_.find(key);
    return found == values_.end() ? otherwise : found->second;
  }

 private:
  std::map<std::string, std::string> values_;
};

/// A child that inherits everything and outlives its parent's death, for a while.
void leave_child_behind() {
  if (::fork() != 0) return;
  ::close(STDOUT_FILENO);
  ::alarm(20);
  for (;;) ::pause();
}

void tell(const std::string& line) {
  const std::string text = line + "\n";
  if (::write(STDOUT_FILENO, text.data(), text.size()) < 0) std::exit(3);
}

int fail_with(const Error& error) {
  tell("error " + error.message());
  return 1;
}

int produce(const std::string& name, const Arguments& arguments) {
  auto session = ScanSession::create({.name = name,
                                      .roots = {"/numbered"},
                                      .pool_bytes = arguments.number("pool", 2u << 20),
                                      .huge_pages = HugePages::off,
                                      .group_lease = std::chrono::milliseconds(arguments.number("lease_ms", 60'000)),
                                      .group_linger = std::chrono::milliseconds(arguments.number("group_linger_ms", 10'000))});
  if (!session) return fail_with(session.error());
  if (arguments.number("child", 0)) leave_child_behind();
  tell("ready");
  std::atomic<bool> done{false};
  std::thread control([&] {
    while (!done) session->serve(20ms);
  });
  while (session->attendance().ever < arguments.number("consumers", 0)) std::this_thread::sleep_for(1ms);
  BatchSource source;
  for (std::uint64_t i = 0; i < arguments.number("batches", 100); ++i) {
    const OutgoingBatch batch =
        source.make(std::uint32_t(arguments.number("rows", 500)), arguments.number("name_bytes", 12));
    if (auto published = session->publish(unsigned(i), batch); !published)
      return fail_with(published.error());
    tell(fmt::format("published {}", source.rows_made()));
  }
  session->finish(true);
  tell("finished");
  while (arguments.number("linger", 0) || !session->attendance().all_finished)
    std::this_thread::sleep_for(1ms);
  done = true;
  control.join();
  return 0;
}

const char* word_for(StreamEnd end) {
  switch (end) {
    case StreamEnd::running:
      return "running";
    case StreamEnd::complete:
      return "complete";
    case StreamEnd::cut_short:
      return "cut_short";
    case StreamEnd::scanner_died:
      return "scanner_died";
  }
  return "?";
}

int consume(const std::string& name, const Arguments& arguments) {
  const std::string start = arguments.text("start", "first");
  const AttachOptions options{.scan = name,
                              .timeout = std::chrono::milliseconds(arguments.number("timeout_ms", 10'000)),
                              .rank = std::uint32_t(arguments.number("rank", 0)),
                              .world = std::uint32_t(arguments.number("world", 1)),
                              .start = start == "now"      ? StartAt::now
                                       : start == "oldest" ? StartAt::oldest
                                                           : StartAt::first,
                              .group = arguments.text("group", "")};
  auto consumer = Consumer::attach(options);
  if (!consumer) return fail_with(consumer.error());
  if (arguments.number("child", 0)) leave_child_behind();
  tell(fmt::format("attached {}", consumer->missed_rows()));
  RowTally tally;
  std::deque<BatchLease> held;
  while (consumer->end() == StreamEnd::running) {
    auto lease = consumer->next(30s);
    if (!lease) return fail_with(lease.error());
    if (!*lease) break;
    tally.add((*lease)->view());
    held.push_back(**lease);
    lease->reset();
    if (consumer->stats().batches == arguments.number("freeze_after", 0)) ::raise(SIGSTOP);
    std::this_thread::sleep_for(std::chrono::microseconds(arguments.number("pause_us", 0)));
    if (arguments.number("tell", 0))
      tell(fmt::format("batch {} {} {}", held.back().view().column(schema::Column::inode).at<std::uint64_t>(0),
                       held.back().view().rows(), int(held.back().redelivered())));
    if (held.size() > arguments.number("hold", 0)) held.pop_front();
    if (consumer->stats().batches == arguments.number("stop_after", 0)) {
      tell("stopped");
      ::pause();
    }
  }
  if (arguments.number("die_at_end", 0)) ::raise(SIGKILL);
  const bool all = start == "first" && options.group.empty() && options.world == 1;
  const std::string wrong = all ? tally.missing_or_doubled(tally.rows()) : "";
  tell(fmt::format("end={} rows={} batches={} verdict={}", word_for(consumer->end()), tally.rows(),
                   consumer->stats().batches, wrong.empty() ? "good" : wrong));
  return 0;
}

}  // namespace
}  // namespace pwalk::ipc::testing

int main(int count, char** words) {
  using namespace pwalk::ipc::testing;
  if (count < 3) return 2;
  const std::string role = words[1];
  const Arguments arguments(count, words);
  if (role == "produce") return produce(words[2], arguments);
  if (role == "consume") return consume(words[2], arguments);
  return 2;
}
