#include <fmt/format.h>

#include <charconv>
#include <limits>

#include "browse/session.h"
#include "cli/short_command_line.h"
#include "commands/command.h"
#include "process/message.h"
#include "pwalk/image/disk_usage.h"
#include "text/block_size.h"
#include "text/escape.h"

namespace pwalk::tools {
namespace {

constexpr const char* kProgram = "pwalk du";

const std::vector<ShortOption> kOptions{
    {'a', "all", nullptr, "a line for every entry, not only for directories"},
    {'s', "summarize", nullptr, "only a total for each place"},
    {'c', "total", nullptr, "a grand total at the end"},
    {'d', "max-depth", "N", "lines only for what is at most N levels below a place"},
    {'t', "threshold", "SIZE", "leave out what is smaller than SIZE, or with -SIZE what is larger"},
    {'h', "human-readable", nullptr, "sizes such as 4.0K and 1.5G"},
    {'B', "block-size", "SIZE", "count in units of SIZE (default 1K)"},
    {'k', "kibibytes", nullptr, "like -B 1K"},
    {'m', "mebibytes", nullptr, "like -B 1M"},
    {'b', "bytes", nullptr, "like --apparent-size -B 1"},
    {0, "apparent-size", nullptr, "sizes of files, not what they take on the device"},
    {0, "inodes", nullptr, "numbers of inodes, not sizes"},
    {'0', "null", nullptr, "end lines with NUL, not newline"},
};

struct DuRequest {
  bool all = false, summarize = false, total = false, apparent = false, inodes = false;
  std::optional<std::uint32_t> max_depth;
  std::uint64_t at_least = 0, at_most = std::numeric_limits<std::uint64_t>::max();
  BlockSize unit;
  char end = '\n';

  std::uint32_t deepest_line() const { return summarize ? 0 : max_depth.value_or(~std::uint32_t{0}); }
  std::uint64_t amount(const DiskUsage& usage) const {
    return inodes ? usage.inodes : apparent ? usage.apparent_bytes : usage.allocated_bytes;
  }
};

Result<void> set_threshold(std::string text, DuRequest& request) {
  const bool below = text.starts_with('-');
  if (below) text.erase(0, 1);
  if (text == "0" && !below) return {};
  const auto size = parse_block_size(text);
  if (!size) return tl::unexpected(size.error());
  (below ? request.at_most : request.at_least) = size->bytes;
  return {};
}

Result<void> set_depth(const std::string& text, DuRequest& request) {
  std::uint32_t depth = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), depth);
  if (error != std::errc{} || stop != text.data() + text.size()) return fail(EINVAL, "allowed are whole numbers from 0");
  request.max_depth = depth;
  return {};
}

Result<void> apply(const ShortCommandLine::Given& given, DuRequest& request) {
  const std::string& name = given.name;
  if (name == "all") request.all = true;
  if (name == "summarize") request.summarize = true;
  if (name == "total") request.total = true;
  if (name == "human-readable") request.unit = BlockSize::for_people();
  if (name == "kibibytes") request.unit = {1024, {}, false};
  if (name == "mebibytes") request.unit = {1 << 20, {}, false};
  if (name == "bytes" || name == "apparent-size") request.apparent = true;
  if (name == "bytes") request.unit = {1, {}, false};
  if (name == "inodes") request.inodes = true;
  if (name == "null") request.end = '\0';
  if (name == "max-depth") return set_depth(given.value, request);
  if (name == "threshold") return set_threshold(given.value, request);
  if (name != "block-size") return {};
  auto unit = parse_block_size(given.value);
  if (!unit) return tl::unexpected(unit.error());
  request.unit = *std::move(unit);
  return {};
}

std::optional<int> read_request(const ShortCommandLine& command_line, DuRequest& request) {
  for (const auto& given : command_line.given())
    if (auto fine = apply(given, request); !fine)
      return command_line.refuse(fmt::format("--{} '{}': {}", given.name, escaped(given.value), fine.error().what));
  if (request.all && request.summarize) return command_line.refuse("--all and --summarize contradict each other");
  if (request.summarize && request.max_depth.value_or(0) != 0)
    return command_line.refuse(fmt::format("--summarize and --max-depth={} contradict each other", *request.max_depth));
  if (request.inodes && !request.unit.human) request.unit = {1, {}, false};  // inodes have no unit
  return std::nullopt;
}

class Usage {
 public:
  Usage(BrowsingSession& session, const DuRequest& request, bool several_places)
      : session_(session), request_(request), counted_(several_places) {}

  void sum_up(const Place& place) {
    const auto sum = disk_usage(place.results, place.path, counted_, [this](const UsageReport& report) { return tell(report); });
    if (!sum) return session_.complain(sum.error());
    total_.add(*sum);
  }
  void tell_total() {
    if (request_.total) line(request_.amount(total_), "total");
  }

 private:
  bool tell(const UsageReport& report) {
    if (report.entry.error() != 0) {
      session_.complain(report.path, int(report.entry.error()));
      return session_.go_on();
    }
    if (report.record && report.record->error != 0) session_.complain(report.path, int(report.record->error));
    const std::uint64_t amount = request_.amount(report.usage);
    const bool wanted = report.depth <= request_.deepest_line() &&
                        (request_.all || report.entry.is_directory() || report.depth == 0) &&
                        amount >= request_.at_least && amount <= request_.at_most;
    if (wanted) line(amount, report.path);
    return session_.go_on();
  }

  void line(std::uint64_t amount, std::string_view path) {
    std::string& out = session_.output().buffer();
    out += request_.unit.text(amount);
    out += '\t';
    if (session_.for_terminal()) append_escaped(out, path);
    else out += path;
    out += request_.end;
  }

  BrowsingSession& session_;
  const DuRequest& request_;
  CountedInodes counted_;
  DiskUsage total_;
};

bool has_columns(const Place& place, const DuRequest& request, const ShortCommandLine& command_line) {
  const auto column = request.apparent ? schema::Column::size : schema::Column::blocks;
  if (request.inodes || place.results.facts().columns.has(column)) return true;
  command_line.refuse(fmt::format("the scan '{}' did not fetch '{}'", escaped(place.results.facts().name), schema::spec_of(column).name));
  return false;
}

}  // namespace

int run_du(int argc, const char* const* argv) {
  ShortCommandLine command_line(kProgram, "[options] [PLACE...]",
                                "Sums up what directories take, as du(1) does; an inode with several names counts once.", kOptions);
  if (auto code = command_line.parse_or_exit(argc, argv)) return *code;
  DuRequest request;
  if (auto code = read_request(command_line, request)) return *code;
  BrowsingSession session(kProgram);
  const auto places = session.places(command_line.arguments());
  if (places.empty()) return session.exit_code();
  for (const Place& place : places)
    if (!has_columns(place, request, command_line)) return kUsage;
  Usage usage(session, request, places.size() > 1);
  for (const Place& place : places) usage.sum_up(place);
  usage.tell_total();
  return session.finish();
}

}  // namespace pwalk::tools
