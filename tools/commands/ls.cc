#include <fmt/format.h>

#include <algorithm>

#include "browse/entry_list.h"
#include "browse/session.h"
#include "cli/short_command_line.h"
#include "commands/command.h"
#include "process/message.h"
#include "pwalk/image/tree_walk.h"
#include "text/escape.h"

namespace pwalk::tools {
namespace {

constexpr const char* kProgram = "pwalk ls";

const std::vector<ShortOption> kOptions{
    {'l', "long", nullptr, "mode, links, owner, group, size and time of each"},
    {'a', "all", nullptr, "names that begin with a dot too"},
    {'A', "almost-all", nullptr, "those, but not . and .."},
    {'d', "directory", nullptr, "directories themselves, not what is in them"},
    {'h', "human-readable", nullptr, "sizes such as 4.0K and 1.5G"},
    {'i', "inode", nullptr, "the inode number of each"},
    {'n', "numeric-uid-gid", nullptr, "owners by number; implies -l"},
    {'R', "recursive", nullptr, "what is in directories too"},
    {'r', "reverse", nullptr, "the other way round"},
    {'S', "by-size", nullptr, "largest first"},
    {'t', "by-time", nullptr, "newest first"},
    {'1', "one-per-line", nullptr, "a name per line: always so"},
};

struct LsRequest {
  bool all = false, almost_all = false, directory = false, recursive = false;
  ListingStyle style;
};

void apply(const std::string& name, LsRequest& request) {
  ListingStyle& style = request.style;
  if (name == "long" || name == "numeric-uid-gid") style.details = true;
  if (name == "numeric-uid-gid") style.numeric = true;
  if (name == "all") request.all = true;
  if (name == "almost-all") request.almost_all = true;
  if (name == "directory") request.directory = true;
  if (name == "human-readable") style.human = true;
  if (name == "inode") style.inode = true;
  if (name == "recursive") request.recursive = true;
  if (name == "reverse") style.reverse = true;
  if (name == "by-size") style.order = ListingOrder::size;
  if (name == "by-time") style.order = ListingOrder::time;
}

std::string below(const std::string& directory, std::string_view name) {
  return (directory == "/" ? "" : directory) + "/" + std::string(name);
}

class Lister {
 public:
  Lister(BrowsingSession& session, LsRequest request) : session_(session), request_(request) {
    request_.style.for_terminal = session.for_terminal();
  }

  /// What is no directory first, then the directories one after the other.
  void list(const std::vector<Place>& places) {
    std::vector<ListedEntry> plain;
    std::vector<NamedDirectory> directories;
    for (const Place& place : places) {
      const auto entry = place.results.stat(place.path);
      if (!entry) {
        session_.complain(entry.error());
      } else if (request_.directory || !entry->is_directory()) {
        plain.push_back({*entry, place.path});
      } else {
        directories.push_back({{*entry, place.path}, &place});
      }
    }
    if (!places.empty()) request_.style.now_ns = places.front().results.facts().started_ns;
    show(plain);
    headings_ = places.size() > 1 || request_.recursive;
    std::stable_sort(directories.begin(), directories.end(), [&](const NamedDirectory& a, const NamedDirectory& b) {
      return stands_before(a.listed, b.listed, request_.style);
    });
    for (const NamedDirectory& directory : directories)
      if (!list_directory(directory.place->results, directory.place->path)) return;
  }

 private:
  struct NamedDirectory {
    ListedEntry listed;
    const Place* place;
  };

  void show(std::vector<ListedEntry>& entries) {
    std::sort(entries.begin(), entries.end(), [&](const ListedEntry& a, const ListedEntry& b) {
      return stands_before(a, b, request_.style);
    });
    append_entries(entries, request_.style, names_, session_.output().buffer());
    anything_shown_ |= !entries.empty();
  }

  /// Directories wait in a list of their own: ls shows a directory whole before what is below it.
  bool list_directory(const ResultsFilesystem& results, const std::string& top) {
    std::vector<std::string> waiting{top};
    while (!waiting.empty()) {
      const std::string path = std::move(waiting.back());
      waiting.pop_back();
      const auto listing = results.list(path);
      if (!listing) {
        session_.complain(listing.error());
        continue;
      }
      if (listing->record() && listing->record()->error != 0) session_.complain(path, int(listing->record()->error));
      std::vector<ListedEntry> entries = entries_of(*listing);
      if (request_.all) add_dots(results, path, entries);
      heading(path, entries);
      show(entries);
      if (request_.recursive) remember_directories(path, entries, waiting);
      if (!session_.go_on()) return false;
    }
    return true;
  }

  std::vector<ListedEntry> entries_of(const Listing& listing) {
    std::vector<ListedEntry> entries;
    for (const EntryRef entry : listing) {
      if (entry.name().starts_with('.') && !request_.all && !request_.almost_all) continue;
      if (entry.error() != 0) session_.complain(entry.name(), int(entry.error()));
      entries.push_back({entry, std::string(entry.name())});
    }
    return entries;
  }

  void heading(const std::string& path, const std::vector<ListedEntry>& entries) {
    std::string& out = session_.output().buffer();
    if (headings_) {
      if (anything_shown_) out += '\n';
      out += (session_.for_terminal() ? escaped(path) : path) + ":\n";
    }
    anything_shown_ = true;
    if (request_.style.details) out += total_line(entries, request_.style);
  }

  void add_dots(const ResultsFilesystem& results, const std::string& path, std::vector<ListedEntry>& entries) {
    if (const auto self = results.stat(path)) entries.push_back({*self, "."});
    if (const auto parent = results.stat(path + "/..")) entries.push_back({*parent, ".."});
  }

  void remember_directories(const std::string& path, const std::vector<ListedEntry>& entries, std::vector<std::string>& waiting) {
    for (auto at = entries.rbegin(); at != entries.rend(); ++at)
      if (at->entry.is_directory() && at->name != "." && at->name != "..") waiting.push_back(below(path, at->name));
  }

  BrowsingSession& session_;
  LsRequest request_;
  OwnerNames names_;
  bool headings_ = false, anything_shown_ = false;
};

}  // namespace

int run_ls(int argc, const char* const* argv) {
  ShortCommandLine command_line(kProgram, "[options] [PLACE...]", "Lists directories of an image, as ls(1) does.", kOptions);
  if (auto code = command_line.parse_or_exit(argc, argv)) return *code;
  LsRequest request;
  for (const auto& given : command_line.given()) apply(given.name, request);
  BrowsingSession session(kProgram);
  const auto places = session.places(command_line.arguments());
  if (places.empty()) return session.exit_code();
  Lister(session, request).list(places);
  return session.finish();
}

}  // namespace pwalk::tools
