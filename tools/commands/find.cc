#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "browse/session.h"
#include "cli/self_description.h"
#include "commands/command.h"
#include "find/expression.h"
#include "process/message.h"
#include "pwalk/image/tree_walk.h"
#include "text/escape.h"

namespace pwalk::tools {
namespace {

constexpr const char* kProgram = "pwalk find";
constexpr std::int64_t kSecond = 1'000'000'000;

constexpr std::string_view kHelp =
    R"(usage: pwalk find [--as-of now] [PLACE...] [EXPRESSION]
find(1) over an image. A PLACE is SCAN, SCAN:/path or a path that a kept image has.

  operators  ( EXPR )  ! EXPR  -not EXPR  EXPR -a EXPR  EXPR -o EXPR  EXPR , EXPR
  names      -name -iname -path -ipath GLOB   -regex -iregex RE   -regextype TYPE
  kinds      -type bcdflps   -empty   -true   -false
  numbers    -size N[cwbkMG]   -links -inum -uid -gid N      (N, +N more, -N less)
  owners     -user -group NAME   -nouser   -nogroup   -perm MODE, -MODE, /MODE
  times      -mtime -atime -ctime DAYS   -mmin -amin -cmin MINUTES
             -newer FILE   -newermt DATE   -newerXY (X of acmB, Y of acmBt)
  depth      -mindepth N   -maxdepth N   -prune   -quit
  actions    -print   -print0   -ls   -printf FORMAT

Ages are counted from the scan's start; with --as-of now, from now.
)";

struct FindRequest {
  std::vector<std::string> places;
  std::vector<std::string> expression;
  bool as_of_now = false;
};

bool begins_expression(const std::string& word) {
  return (word.size() > 1 && word[0] == '-') || word == "(" || word == ")" || word == "!" || word == ",";
}

/// One of find's own options at words[at]; moves behind it. An exit code when there is
/// nothing to do afterwards.
std::optional<int> take_option(const std::vector<std::string>& words, std::size_t& at, FindRequest& request) {
  std::string word = words[at++];
  if (word == kDumpOptions) {
    write_all(STDOUT_FILENO, describe(kProgram, "[--as-of now] [PLACE...] [EXPRESSION]", std::string(kHelp), "[]"));
    return kComplete;
  }
  if (word == "--help") {
    write_all(STDOUT_FILENO, kHelp);
    return kComplete;
  }
  if (word == "--as-of" && at < words.size()) word += "=" + words[at++];
  if (word != "--as-of=now" && word != "--as-of=scan") {
    say(kProgram, fmt::format("'{}': allowed are --as-of now, --as-of scan and --help", escaped(word)));
    return kUsage;
  }
  request.as_of_now = word == "--as-of=now";
  return std::nullopt;
}

/// Options and places, then the expression.
std::optional<int> split_words(int argc, const char* const* argv, FindRequest& request) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  std::size_t at = 0;
  for (; at < words.size() && (words[at] == "-P" || words[at] == "-H" || words[at] == "-L"); ++at) {
    if (words[at] == "-P") continue;
    say(kProgram, fmt::format("'{}': links are not followed in an image; allowed is -P", words[at]));
    return kUsage;
  }
  while (at < words.size()) {
    if (words[at].starts_with("--")) {
      if (auto code = take_option(words, at, request)) return code;
    } else if (begins_expression(words[at])) {
      break;
    } else {
      request.places.push_back(words[at++]);
    }
  }
  request.expression.assign(words.begin() + std::ptrdiff_t(at), words.end());
  return std::nullopt;
}

std::int64_t now_ns() {
  return std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::int64_t time_of(const struct stat& facts, char kind) {
  const timespec& time = kind == 'a' ? facts.st_atim : kind == 'c' ? facts.st_ctim : facts.st_mtim;
  return time.tv_sec * kSecond + time.tv_nsec;
}

/// FILE of -newer: the image knows it, or this machine does.
Result<std::int64_t> time_of_file(const ResultsFilesystem& results, const std::string& file, char kind) {
  using schema::Column;
  const Column column = kind == 'a' ? Column::atime : kind == 'B' ? Column::btime : kind == 'c' ? Column::ctime : Column::mtime;
  std::error_code unknown;
  const std::string path = std::filesystem::absolute(file, unknown);
  if (const auto entry = results.stat(path); entry && entry->has(column)) return entry->get<std::int64_t>(column);
  struct stat facts {};
  if (kind == 'B') return fail(ENOENT, "no such entry in the image with a birth time");
  if (::lstat(file.c_str(), &facts) != 0) return fail_errno("neither in the image nor here");
  return time_of(facts, kind);
}

/// The scan has what the expression looks at. Complains if not.
bool has_columns(const Place& place, const find::Expression& expression) {
  const schema::ColumnSet missing = expression.needs - place.results.facts().columns;
  if (missing.empty()) return true;
  say(kProgram, fmt::format("the expression looks at '{}', which the scan '{}' did not fetch", schema::name_of(*missing.begin()),
                            escaped(place.results.facts().name)));
  return false;
}

/// One starting point and what is below it.
class FindWalk {
 public:
  FindWalk(BrowsingSession& session, const find::Expression& expression, find::Run& run)
      : session_(session), expression_(expression), run_(run) {}

  void search(const Place& place) {
    TreeWalkOptions options;
    options.max_depth = expression_.max_depth;
    auto walk = TreeWalk::start(place.results, place.path, options);
    if (!walk) return session_.complain(walk.error());
    std::string start;
    while (!run_.quit && session_.go_on()) {
      const auto more = walk->next();
      if (!more) return session_.give_up(more.error());
      if (!*more) return;
      if (start.empty()) start = walk->path();
      visit(*walk, start);
    }
  }

 private:
  void visit(TreeWalk& walk, const std::string& start) {
    const EntryRef entry = walk.entry();
    if (entry.error() != 0 && looks_at_what_is_missing(entry)) {
      session_.complain(walk.path(), int(entry.error()));
      return walk.skip();
    }
    find::Visit visit{run_, walk, start, walk.path(), entry, walk.depth()};
    if (walk.depth() >= expression_.min_depth) expression_.test(visit);
    if (walk.entering()) complain_of_directory(walk);
  }

  /// Without its attributes an entry still has a name and a type from its directory;
  /// but a directory's own type find wants to see for itself.
  bool looks_at_what_is_missing(const EntryRef& entry) const {
    return expression_.needs_attributes() || (entry.is_directory() && expression_.needs.has(schema::Column::type));
  }

  void complain_of_directory(TreeWalk& walk) {
    const auto listing = walk.listing();
    if (!listing) return;  // next() meets it again
    const auto& record = (*listing)->record();
    const std::uint32_t error = record && record->error != 0 ? record->error : walk.entry().error();
    if (error != 0) session_.complain(walk.path(), int(error));
  }

  BrowsingSession& session_;
  const find::Expression& expression_;
  find::Run& run_;
};

}  // namespace

int run_find(int argc, const char* const* argv) {
  FindRequest request;
  if (auto code = split_words(argc, argv, request)) return *code;
  BrowsingSession session(kProgram);
  const auto places = session.places(request.places);
  if (places.empty()) return session.exit_code();
  const ResultsFilesystem& results = places.front().results;

  find::Run run;
  run.output = &session.output();
  run.for_terminal = session.for_terminal();
  run.now_ns = request.as_of_now ? now_ns() : results.facts().started_ns;
  find::ExpressionSetting setting;
  setting.now_ns = run.now_ns;
  setting.time_of_file = [&](const std::string& file, char kind) { return time_of_file(results, file, kind); };
  auto expression = find::parse_expression(request.expression, setting);
  if (!expression) {
    say(kProgram, expression.error().what);
    return kUsage;
  }
  for (const Place& place : places)
    if (!has_columns(place, *expression)) return kUsage;
  for (const Place& place : places) FindWalk(session, *expression, run).search(place);
  return session.finish();
}

}  // namespace pwalk::tools
