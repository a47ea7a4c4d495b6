#include "run/preload/scanned_tree.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <shared_mutex>

#include "pwalk/base/lies_below.h"
#include "run/preload/image_lock.h"
#include "run/run_environment.h"

namespace pwalk::run {
namespace {

constexpr int kCannotStart = 3;

void say(const Error& error) {
  const std::string line = "pwalk run: " + error.message() + "\n";
  static_cast<void>(!::write(STDERR_FILENO, line.data(), line.size()));
}

[[noreturn]] void end_process(const Error& error) {
  say(error);
  ::_exit(kCannotStart);
}

/// The errno that the program gets. What is wrong with a damaged image, and where, has no place in one, so that is
/// said, the first time.
int errno_of(const Error& error) {
  if (error.code != EPROTO) return error.code;
  static std::atomic_flag said = ATOMIC_FLAG_INIT;  // relaxed: nothing else hangs on it
  if (!said.test_and_set(std::memory_order_relaxed)) say(error);
  return EIO;
}

/// Where this library itself was loaded from.
std::string own_file() {
  Dl_info about{};
  return ::dladdr(reinterpret_cast<const void*>(&own_file), &about) != 0 && about.dli_fname ? about.dli_fname : "";
}

std::string preload_with_us() {
  std::string us = own_file();
  const char* set = std::getenv(kPreloadVariable);
  if (!set || !*set) return us;
  return std::strstr(set, us.c_str()) ? set : us + ":" + set;
}

}  // namespace

const ScannedTree* ScannedTree::instance() {
  static const ScannedTree* const tree = open();
  return tree;
}

const ScannedTree* ScannedTree::open() {
  const char* file = std::getenv(kImageVariable);
  if (!file || !*file) return nullptr;
  auto results = ResultsFilesystem::open(file);
  if (!results) end_process(results.error());
  const char* contents = std::getenv(kContentsVariable);
  const bool real = contents && std::string_view(contents) == "real";
  return new ScannedTree(*std::move(results), real ? Contents::real : Contents::refuse);
}

ScannedTree::ScannedTree(ResultsFilesystem results, Contents contents)
    : results_(std::move(results)), contents_(contents), preload_(preload_with_us()) {
  for (const std::string& root : results_.facts().roots) find_ancestors(root);
}

void ScannedTree::find_ancestors(const std::string& root) {
  for (auto slash = root.rfind('/'); slash != std::string::npos && root != "/"; slash = root.rfind('/', slash - 1)) {
    const std::string above = slash == 0 ? "/" : root.substr(0, slash);
    struct stat facts {};
    if (!covers(above) && ::stat(above.c_str(), &facts) == 0) ancestors_.push_back({facts.st_dev, facts.st_ino, above});
    if (slash == 0) return;
  }
}

bool ScannedTree::covers(std::string_view path) const {
  for (const std::string& root : results_.facts().roots)
    if (lies_below(path, root)) return true;
  return false;
}

bool ScannedTree::leads_to(std::string_view path) const {
  for (const std::string& root : results_.facts().roots)
    if (lies_below(root, path)) return true;
  return false;
}

std::string ScannedTree::ancestor_at(std::uint64_t device, std::uint64_t inode) const {
  for (const Ancestor& ancestor : ancestors_)
    if (ancestor.device == device && ancestor.inode == inode) return ancestor.path;
  return {};
}

tl::expected<EntryRef, int> ScannedTree::find(const std::string& path) const {
  const std::shared_lock lock(image_lock());
  auto entry = results_.stat(path);
  if (!entry) return tl::unexpected(errno_of(entry.error()));
  return *entry;
}

tl::expected<Listing, int> ScannedTree::list(const std::string& path) const {
  const std::shared_lock lock(image_lock());
  auto listing = results_.list(path);
  if (!listing) return tl::unexpected(errno_of(listing.error()));
  const auto& record = listing->record();
  if (listing->empty() && !record) return tl::unexpected(kNotInImage);
  if (listing->empty() && record->error != 0) return tl::unexpected(int(record->error));
  return *std::move(listing);
}

}  // namespace pwalk::run
