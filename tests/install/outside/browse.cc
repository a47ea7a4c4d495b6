// browse IMAGE PATH: what stat, list, walk, glob and du say of PATH, out of an image and without the file system.
#include <pwalk/image/disk_usage.h>
#include <pwalk/image/find.h>
#include <pwalk/image/glob.h>
#include <pwalk/image/results_filesystem.h>
#include <pwalk/image/tree_walk.h>

#include <cstdio>
#include <string>

namespace {

using pwalk::schema::Column;

pwalk::Result<void> browse(const std::string& file, const std::string& path) {
  const auto results = pwalk::ResultsFilesystem::open(file);
  if (!results) return tl::unexpected(results.error());

  const auto entry = results->stat(path);  // borrowed from `results`, like everything below
  if (!entry) return tl::unexpected(entry.error());
  std::printf("type %c\n", entry->type());

  pwalk::Listing listing;  // to be used again for the next directory: it keeps its memory
  if (auto listed = results->list(path, listing); !listed) return listed;
  std::printf("names %zu\n", listing.size());

  std::size_t large = 0;  // find PATH -type f -size +4095c
  auto walk = pwalk::TreeWalk::start(*results, path, {});
  if (!walk) return tl::unexpected(walk.error());
  for (;;) {
    const auto more = walk->next();
    if (!more) return tl::unexpected(more.error());
    if (!*more) break;
    large += walk->entry().type() == 'f' && walk->entry().get<std::uint64_t>(Column::size) > 4095;
  }
  std::printf("large %zu\n", large);

  std::size_t found = 0;  // the same, asked in one call
  pwalk::FindConditions conditions;
  conditions.types = "f";
  conditions.larger = 4095;
  const auto also = [&](std::string_view, const pwalk::EntryRef&) { return ++found, true; };
  if (auto searched = pwalk::find(*results, path, conditions, also); !searched) return searched;
  std::printf("found %zu\n", found);

  std::size_t matches = 0;
  const auto count = [&](std::string_view, const pwalk::EntryRef&) { return ++matches, true; };
  if (auto globbed = pwalk::glob(*results, path + "/**/*1*", count); !globbed) return globbed;
  std::printf("matches %zu\n", matches);

  pwalk::CountedInodes counted;  // hard links once
  const auto usage = pwalk::disk_usage(*results, path, counted);
  if (!usage) return tl::unexpected(usage.error());
  std::printf("inodes %llu\n", static_cast<unsigned long long>(usage->inodes));
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const auto done = browse(argv[1], argv[2]);
  if (done) return 0;
  std::fprintf(stderr, "%s\n", done.error().message().c_str());
  return 3;
}
