#include <fmt/format.h>
#include <langinfo.h>

#include <algorithm>
#include <charconv>

#include "browse/known_target.h"
#include "browse/session.h"
#include "cli/short_command_line.h"
#include "commands/command.h"
#include "process/message.h"
#include "text/block_size.h"
#include "text/escape.h"

namespace pwalk::tools {
namespace {

constexpr const char* kProgram = "pwalk tree";

const std::vector<ShortOption> kOptions{
    {'a', "all", nullptr, "names that begin with a dot too"},
    {'d', "directories", nullptr, "directories only"},
    {'L', "level", "N", "at most N levels deep"},
    {'h', "human-readable", nullptr, "each one's size, such as 4.0K and 1.5G"},
};

struct TreeRequest {
  bool all = false, directories = false, sizes = false;
  std::uint32_t levels = ~std::uint32_t{0};
};

/// What a branch is drawn with.
struct Strokes {
  const char *fork, *last, *down, *blank;
};
constexpr Strokes kUtf8{"├── ", "└── ", "│   ", "    "};
constexpr Strokes kAscii{"|-- ", "`-- ", "|   ", "    "};

class Drawing {
 public:
  Drawing(BrowsingSession& session, const TreeRequest& request)
      : session_(session), request_(request),
        strokes_(std::string_view(::nl_langinfo(CODESET)) == "UTF-8" ? kUtf8 : kAscii) {}

  void draw(const Place& place) {
    const auto entry = place.results.stat(place.path);
    if (!entry) return session_.complain(entry.error());
    line("", shown(place.path), *entry);
    if (entry->is_directory()) draw_below(place);
  }
  void tell_total() {
    session_.output().buffer() += fmt::format("\n{} director{}", directories_, directories_ == 1 ? "y" : "ies");
    if (!request_.directories) session_.output().buffer() += fmt::format(", {} file{}", files_, files_ == 1 ? "" : "s");
    session_.output().buffer() += '\n';
  }

 private:
  struct Level {
    std::string path;
    std::vector<EntryRef> entries;
    std::size_t next = 0;
  };

  /// Not recursive: a tree may be deeper than a stack.
  void draw_below(const Place& place) {
    levels_.clear();
    prefix_.clear();
    open(place.results, place.path);
    while (!levels_.empty() && session_.go_on()) {
      Level& level = levels_.back();
      if (level.next == level.entries.size()) {
        close();
        continue;
      }
      const EntryRef entry = level.entries[level.next++];
      const bool last = level.next == level.entries.size();
      line(prefix_ + (last ? strokes_.last : strokes_.fork), shown(entry.name()), entry);
      entry.is_directory() ? ++directories_ : ++files_;
      if (!entry.is_directory() || levels_.size() >= request_.levels) continue;
      const std::string path = (level.path == "/" ? "" : level.path) + "/" + std::string(entry.name());
      prefix_ += last ? strokes_.blank : strokes_.down;
      widths_.push_back(std::char_traits<char>::length(last ? strokes_.blank : strokes_.down));
      open(place.results, path);
    }
  }

  void open(const ResultsFilesystem& results, const std::string& path) {
    levels_.push_back({path, {}, 0});
    const auto listing = results.list(path);
    if (!listing) return session_.complain(listing.error());
    if (listing->record() && listing->record()->error != 0) session_.complain(path, int(listing->record()->error));
    auto& entries = levels_.back().entries;
    for (const EntryRef entry : *listing)
      if ((request_.all || !entry.name().starts_with('.')) && (!request_.directories || entry.is_directory()))
        entries.push_back(entry);
    std::sort(entries.begin(), entries.end(), [](const EntryRef& a, const EntryRef& b) { return a.name() < b.name(); });
  }

  void close() {
    levels_.pop_back();
    if (widths_.empty()) return;
    prefix_.resize(prefix_.size() - widths_.back());
    widths_.pop_back();
  }

  std::string shown(std::string_view name) const { return session_.for_terminal() ? escaped(name) : std::string(name); }

  void line(const std::string& branch, const std::string& name, const EntryRef& entry) {
    std::string& out = session_.output().buffer();
    out += branch;
    if (request_.sizes) out += fmt::format("[{:>4}]  ", BlockSize::for_people().text(entry.get<std::uint64_t>(schema::Column::size)));
    out += name;
    if (const auto target = known_target(entry); !target.empty()) out += " -> " + shown(target);
    out += '\n';
  }

  BrowsingSession& session_;
  const TreeRequest& request_;
  const Strokes& strokes_;
  std::vector<Level> levels_;
  std::string prefix_;
  std::vector<std::size_t> widths_;  // bytes of each piece of the prefix
  std::uint64_t directories_ = 0, files_ = 0;
};

}  // namespace

int run_tree(int argc, const char* const* argv) {
  ShortCommandLine command_line(kProgram, "[options] [PLACE...]", "Draws directories of an image, as tree(1) does.", kOptions);
  if (auto code = command_line.parse_or_exit(argc, argv)) return *code;
  TreeRequest request;
  for (const auto& given : command_line.given()) {
    if (given.name == "all") request.all = true;
    if (given.name == "directories") request.directories = true;
    if (given.name == "human-readable") request.sizes = true;
    if (given.name != "level") continue;
    const char* end = given.value.data() + given.value.size();
    const auto [stop, error] = std::from_chars(given.value.data(), end, request.levels);
    if (error != std::errc{} || stop != end || request.levels == 0)
      return command_line.refuse(fmt::format("--level '{}': allowed are whole numbers from 1", escaped(given.value)));
  }
  BrowsingSession session(kProgram);
  const auto places = session.places(command_line.arguments());
  if (places.empty()) return session.exit_code();
  Drawing drawing(session, request);
  for (const Place& place : places) drawing.draw(place);
  drawing.tell_total();
  return session.finish();
}

}  // namespace pwalk::tools
