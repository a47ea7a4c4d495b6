#include "browse/session.h"

#include <fmt/format.h>
#include <unistd.h>

#include <clocale>
#include <cstring>

#include "process/message.h"
#include "process/signals.h"
#include "pwalk/ipc/kept_images.h"
#include "text/escape.h"

namespace pwalk::tools {
namespace {

bool told_to_stop() { return stop_requests() > 0; }

}  // namespace

BrowsingSession::BrowsingSession(std::string program)
    : program_(std::move(program)), output_(STDOUT_FILENO, told_to_stop), for_terminal_(::isatty(STDOUT_FILENO) == 1) {
  // Patterns and dates mean what they mean in the user's locale, as for find and ls.
  std::setlocale(LC_CTYPE, "");
  std::setlocale(LC_TIME, "");
  watch_signals();
  guard_against_truncation();
}

std::vector<Place> BrowsingSession::places(const std::vector<std::string>& words) {
  auto found = places_or_complain(program_, words);
  if (found.empty()) raise(kCutShort);
  for (const Place& place : found) {
    if (place.results.state() == image::ImageState::complete) continue;
    say(program_, fmt::format("the image of '{}' is not complete, so neither is this", escaped(place.results.facts().name)));
    raise(kWithErrors);
    break;
  }
  return found;
}

void BrowsingSession::complain(std::string_view path, int error) {
  say(program_, fmt::format("'{}': {}", escaped(path), std::strerror(error)));
  raise(kWithErrors);
}

void BrowsingSession::complain(const Error& error) {
  if (error.code == EPROTO || error.code == EIO) return give_up(error);
  say(program_, escaped(error.message()));
  raise(kWithErrors);
}

void BrowsingSession::give_up(const Error& error) {
  say(program_, escaped(ipc::line_of_image_error(error)));
  raise(kCutShort);
}

bool BrowsingSession::go_on() {
  if (told_to_stop() || output_.reader_gone()) {
    raise(kCutShort);
    return false;
  }
  return is_written(output_.flush_if_full());
}

bool BrowsingSession::is_written(const Result<void>& outcome) {
  if (outcome) return true;
  if (!output_failed_) give_up(outcome.error());
  output_failed_ = true;
  return false;
}

int BrowsingSession::finish() {
  if (told_to_stop()) return kCutShort;
  is_written(output_.flush());
  if (output_.reader_gone()) raise(kCutShort);
  return code_;
}

}  // namespace pwalk::tools
