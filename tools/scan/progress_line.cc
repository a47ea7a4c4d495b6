#include "scan/progress_line.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>

#include "process/message.h"
#include "text/figures.h"

namespace pwalk::tools {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds kTerminalPause = 200ms, kLinePause = 5s, kRateWindow = 1s;
constexpr std::string_view kEraseLine = "\r\x1b[K", kDim = "\x1b[2m", kPlain = "\x1b[0m";

std::size_t terminal_width() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1u : 79u;
}

/// https://no-color.org: set and not empty means none.
bool colours() {
  const char* refused = std::getenv("NO_COLOR");
  return !refused || !*refused;
}

}  // namespace

std::string progress_text(const ScanStats& stats, const ProgressFacts& facts) {
  std::string text = fmt::format("{}  {}  {} entries  {}/s", facts.name, facts.state,
                                 compact(double(stats.counts.entries)), compact(facts.rate));
  if (stats.counts.errors) text += fmt::format("  {} errors", compact(double(stats.counts.errors)));
  if (stats.waiting_directories)
    text += fmt::format("  {} directories waiting", compact(double(stats.waiting_directories)));
  text += fmt::format("  {} consumer{}", facts.consumers, facts.consumers == 1 ? "" : "s");
  if (facts.starved) text += "  pool full";
  text += "  " + duration_text(facts.seconds);
  if (*stats.threads_reason)
    text += fmt::format("  {} thread{}, {}", stats.wanted_threads, stats.wanted_threads == 1 ? "" : "s", stats.threads_reason);
  return text;
}

ProgressLine::ProgressLine(std::string name, ProgressMode mode, bool quiet)
    : name_(std::move(name)),
      terminal_(::isatty(STDERR_FILENO) == 1),
      shown_(mode == ProgressMode::always || (mode == ProgressMode::automatic && terminal_ && !quiet)) {
  if (terminal_) return;
  next_ = began_ + kLinePause;
}

void ProgressLine::update(const ScanStats& stats, ProgressFacts facts, bool wanted) {
  const auto now = Clock::now();
  const bool due = shown_ && now >= next_;
  if (!due && !wanted) return;
  facts.name = name_;
  facts.seconds = std::chrono::duration<double>(now - began_).count();
  facts.rate = rate(stats.counts.entries, now);
  const std::string text = progress_text(stats, facts);
  if (wanted) {
    clear();
    say("pwalk-scanner", text);
  }
  if (!due) return;
  next_ = now + (terminal_ ? kTerminalPause : kLinePause);
  if (!terminal_) return say("pwalk-scanner", text);
  const std::string line = text.substr(0, terminal_width());
  write_all(STDERR_FILENO, colours() ? fmt::format("{}{}{}{}", kEraseLine, kDim, line, kPlain)
                                     : fmt::format("{}{}", kEraseLine, line));
  on_screen_ = true;
}

void ProgressLine::clear() {
  if (on_screen_) write_all(STDERR_FILENO, kEraseLine);
  on_screen_ = false;
}

/// Over the last second or more; at the beginning since the start.
double ProgressLine::rate(std::uint64_t entries, Clock::time_point now) {
  const double seconds = std::chrono::duration<double>(now - rated_at_).count();
  if (rate_ > 0 && now - rated_at_ < kRateWindow) return rate_;
  rate_ = seconds > 0 ? double(entries - rated_entries_) / seconds : 0;
  if (now - rated_at_ >= kRateWindow) {
    rated_at_ = now;
    rated_entries_ = entries;
  }
  return rate_;
}

}  // namespace pwalk::tools
