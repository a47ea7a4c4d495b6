#include "ipc/image_tree.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <fstream>
#include <set>

#include "pwalk/image/tree_walk.h"

namespace pwalk::image::testing {

using schema::Entry;
using schema::testing::AlignedBytes;

namespace {

std::string child(const std::string& directory, const std::string& name) { return directory + "/" + name; }

Entry plain_entry(Random& random, char type, std::uint32_t depth) {
  Entry entry;
  entry.known = schema::ColumnSet::all();
  entry.type = type;
  entry.mode = (type == 'd' ? 0040755 : type == 'l' ? 0120777 : 0100644);
  entry.depth = depth;
  entry.inode = 1 + below(random, 1u << 30);
  entry.device = 0x803;
  entry.nlink = type == 'd' ? 2 : 1;
  entry.size = below(random, 1u << 20);
  entry.blocks = (entry.size + 511) / 512;
  entry.uid = entry.gid = 1000;
  entry.mtime = entry.ctime = entry.atime = entry.btime = std::int64_t(1'600'000'000'000'000'000 + below(random, 1u << 30));
  return entry;
}

Entry any_entry(Random& random, char type, std::uint32_t depth, bool hostile) {
  if (!hostile) return plain_entry(random, type, depth);
  Entry entry = schema::testing::random_entry(random, one_in(random, 2) ? schema::testing::Values::wild : schema::testing::Values::plausible, true);
  entry.known.insert(schema::Column::type);
  entry.known.insert(schema::Column::flags);
  entry.type = type;
  entry.flags &= ~std::uint32_t{schema::kVanished};
  if (one_in(random, 30)) entry.flags |= schema::kVanished;
  return entry;
}

/// Grows a tree until it has its rows; directories wait in `open`.
class Grower {
 public:
  Grower(Random& random, const TreeShape& shape) : random_(random), shape_(shape) {}

  ModelTree grow() {
    tree_.roots = shape_.roots;
    for (const std::string& root : shape_.roots) add_root(root);
    while (!open_.empty() && tree_.rows < shape_.rows) fill(take_open());
    for (const auto& [path, depth] : open_) tree_.directories[path];  // entered, and empty
    tree_.settle();
    return std::move(tree_);
  }

 private:
  void add_root(const std::string& root) {
    const auto slash = root.rfind('/');
    add_row(root.substr(0, slash), root.substr(slash + 1), 'd', 0);
    auto& row = tree_.directories[root.substr(0, slash)].rows[root.substr(slash + 1)];
    row.flags = 0;
    tree_.directories[root.substr(0, slash)].entered = root == "/";
    open_.emplace_back(root == "/" ? "" : root, 1);
    if (shape_.large_directory != 0) {
      for (std::size_t i = 0; i < shape_.large_directory; ++i)
        add_row(open_.back().first, "entry-" + std::to_string(i), 'f', 1);
    }
  }

  std::pair<std::string, std::uint32_t> take_open() {
    const std::size_t at = below(random_, open_.size());
    auto taken = open_[at];
    open_.erase(open_.begin() + std::ptrdiff_t(at));
    return taken;
  }

  void fill(const std::pair<std::string, std::uint32_t>& directory) {
    auto& [path, depth] = directory;
    ModelDirectory& model = tree_.directories[path];
    if (shape_.hostile && one_in(random_, 12) && tree_.rows > 5) {
      model.entered = one_in(random_, 2);
      model.record.error = model.entered ? EACCES : 0;
      model.record.operation = model.entered ? schema::Operation::open : schema::Operation::none;
      return;
    }
    const std::size_t count = 1 + below(random_, one_in(random_, 10) ? 60 : 12);
    for (std::size_t i = 0; i < count; ++i) {
      const std::string name = shape_.hostile ? schema::testing::random_name(random_) : "name-" + std::to_string(i) + "-of-twenty";
      if (name == "." || name == ".." || tree_.directories[path].rows.count(name)) continue;
      const bool descend = i == 0 || one_in(random_, 4);
      const char type = descend ? 'd' : "fflbcps?"[below(random_, 8)];
      add_row(path, name, type, depth);
      const bool vanished = tree_.directories[path].rows[name].flags & schema::kVanished;
      if (descend && !vanished) open_.emplace_back(child(path, name), depth + 1);
    }
  }

  void add_row(const std::string& directory, const std::string& name, char type, std::uint32_t depth) {
    tree_.directories[directory].rows[name] = any_entry(random_, type, depth, shape_.hostile);
    ++tree_.rows;
  }

  Random& random_;
  const TreeShape& shape_;
  ModelTree tree_;
  std::vector<std::pair<std::string, std::uint32_t>> open_;
};

/// Where the rows of one directory that are still to be published begin.
struct Task {
  const std::string* path;
  const ModelDirectory* directory;
  std::map<std::string, Entry>::const_iterator next;
};

/// A worker with a lane of its own.
class Worker {
 public:
  Worker(std::uint32_t lane, schema::BatchLimits limits, std::vector<LaneBatch>& out)
      : lane_(lane), builder_(schema::ColumnSet::all(), limits), out_(&out) {}

  /// Publishes some of a directory; true when that was the last of it.
  bool work(Random& random, Task& task) {
    builder_.begin_directory(*task.path, 0);
    for (std::size_t left = 1 + below(random, 200); left != 0 && task.next != task.directory->rows.end(); --left) {
      Entry entry = task.next->second;
      entry.name = task.next->first;
      while (!builder_.append(entry)) flush(task);
      ++task.next;
    }
    if (task.next != task.directory->rows.end()) return false;
    while (task.directory->entered && !builder_.end_directory(task.directory->record)) flush(task);
    return true;
  }
  void flush() {
    if (builder_.empty()) return;
    out_->push_back({lane_, sequence_++, std::make_shared<AlignedBytes>(builder_.finish().bytes)});
  }

 private:
  void flush(const Task& task) {
    flush();
    builder_.begin_directory(*task.path, 0);
  }
  std::uint32_t lane_;
  std::uint64_t sequence_ = 0;
  schema::EntryBatchBuilder builder_;
  std::vector<LaneBatch>* out_;
};

}  // namespace

void ModelTree::settle() {
  for (auto& [path, directory] : directories) {
    directory.record.entries = directory.rows.size();
    if (directory.record.error == 0) directory.record.flags = schema::kComplete;
    directory.record.bytes = 0;
    for (const auto& [name, entry] : directory.rows)
      if (__builtin_add_overflow(directory.record.bytes, entry.size, &directory.record.bytes)) {
        directory.record.bytes = ~std::uint64_t{0};
        break;
      }
  }
}

ModelTree random_tree(Random& random, const TreeShape& shape) { return Grower(random, shape).grow(); }

schema::EntryBatchView LaneBatch::view() const {
  const AlignedBytes& held = *bytes;
  auto checked = schema::EntryBatchView::check(held.span());
  EXPECT_TRUE(checked) << (checked ? "" : checked.error().message());
  return *std::move(checked);
}

std::vector<LaneBatch> publish(Random& random, const ModelTree& tree, schema::BatchLimits limits) {
  std::vector<LaneBatch> batches;
  std::deque<Worker> workers;
  for (std::uint32_t lane = 0; lane < 3; ++lane) workers.emplace_back(lane, limits, batches);
  std::deque<Task> tasks;
  for (const auto& [path, directory] : tree.directories)
    if (!directory.rows.empty() || directory.entered) tasks.push_back({&path, &directory, directory.rows.begin()});
  while (!tasks.empty()) {
    Worker& worker = workers[below(random, workers.size())];
    const std::size_t at = below(random, std::min<std::size_t>(tasks.size(), 8));
    if (worker.work(random, tasks[at])) tasks.erase(tasks.begin() + std::ptrdiff_t(at));
    if (one_in(random, 40)) worker.flush();
  }
  for (Worker& worker : workers) worker.flush();
  return batches;
}

ScanFacts facts_of(const ModelTree& tree) {
  ScanFacts facts;
  facts.name = "model";
  facts.host = "here";
  facts.roots = tree.roots;
  facts.uid = 4711;
  facts.started_ns = 1'700'000'000'123'456'789;
  facts.columns = schema::ColumnSet::all();
  facts.version = "test";
  facts.selection = "exclude \xff*\n";
  return facts;
}

void expect_same_entry(const EntryRef& found, const std::string& name, const Entry& wanted) {
  const Entry got = found.load();
  ASSERT_EQ(found.name(), name);
  EXPECT_EQ(got.known, wanted.known) << name;
  const auto same = [&](schema::Column column, auto a, auto b) {
    const decltype(a) expected = wanted.known.has(column) ? b : decltype(b){};
    EXPECT_EQ(a, expected) << schema::spec_of(column).name << " of " << name;
  };
  using schema::Column;
  same(Column::type, got.type, wanted.type);
  same(Column::inode, got.inode, wanted.inode);
  same(Column::size, got.size, wanted.size);
  same(Column::mode, got.mode, wanted.mode);
  same(Column::nlink, got.nlink, wanted.nlink);
  same(Column::uid, got.uid, wanted.uid);
  same(Column::mtime, got.mtime, wanted.mtime);
  same(Column::btime, got.btime, wanted.btime);
  same(Column::error, got.error, wanted.error);
  same(Column::flags, got.flags, wanted.flags);
  same(Column::depth, got.depth, wanted.depth);
}

namespace {

bool visible(const std::string& name, const Entry& entry) { return !name.empty() && !(entry.flags & schema::kVanished); }

void expect_same_rows(const ResultsFilesystem& results, const std::string& directory, const ModelDirectory& model) {
  for (const auto& [name, entry] : model.rows) {
    const std::string path = child(directory, name);
    const auto found = results.stat(path);
    if (!name.empty() && entry.flags & schema::kVanished) {
      ASSERT_FALSE(found) << path;
      EXPECT_EQ(found.error().code, ENOENT);
      continue;
    }
    ASSERT_TRUE(found) << path << ": " << found.error().message();
    expect_same_entry(*found, name, entry);
    if (entry.type != 'd') {
      const auto below_it = results.stat(path + "/x");
      ASSERT_FALSE(below_it);
      EXPECT_EQ(below_it.error().code, ENOTDIR) << path;
      const auto listed = results.list(path);
      ASSERT_FALSE(listed);
      EXPECT_EQ(listed.error().code, ENOTDIR) << path;
    }
  }
  const auto nobody = results.stat(child(directory, "this name is not there"));
  ASSERT_FALSE(nobody);
  EXPECT_EQ(nobody.error().code, ENOENT);
}

bool below_a_root(const ModelTree& tree, const std::string& directory) {
  return std::any_of(tree.roots.begin(), tree.roots.end(), [&](const std::string& root) {
    return root == "/" || directory == root || directory.compare(0, root.size() + 1, root + "/") == 0;
  });
}

void expect_same_listing(const ResultsFilesystem& results, const std::string& directory, const ModelDirectory& model) {
  const auto listing = results.list(directory.empty() ? "/" : directory);
  ASSERT_TRUE(listing) << directory << ": " << listing.error().message();
  std::multiset<std::string> names, wanted;
  for (const EntryRef entry : *listing) names.emplace(entry.name());
  for (const auto& [name, entry] : model.rows)
    if (visible(name, entry)) wanted.insert(name);
  EXPECT_EQ(names, wanted) << directory;
  EXPECT_EQ(listing->size(), wanted.size());
  ASSERT_EQ(listing->record().has_value(), model.entered) << directory;
  if (!model.entered) return;
  EXPECT_EQ(listing->record()->entries, model.record.entries);
  EXPECT_EQ(listing->record()->bytes, model.record.bytes);
  EXPECT_EQ(listing->record()->error, model.record.error);
  EXPECT_EQ(listing->record()->flags, model.record.flags);
}

void add_reachable(const ModelTree& tree, const std::string& directory, std::multiset<std::string>& paths) {
  const auto at = tree.directories.find(directory);
  if (at == tree.directories.end()) return;
  for (const auto& [name, entry] : at->second.rows) {
    if (!visible(name, entry)) continue;
    paths.insert(child(directory, name));
    if (entry.type == 'd') add_reachable(tree, child(directory, name), paths);
  }
}

void expect_same_walk(const ResultsFilesystem& results, const ModelTree& tree, const std::string& root) {
  std::multiset<std::string> wanted{root}, visited;
  add_reachable(tree, root == "/" ? "" : root, wanted);
  auto walk = TreeWalk::start(results, root, {.leaving = true});
  ASSERT_TRUE(walk) << walk.error().message();
  std::vector<std::string> inside;
  auto more = walk->next();
  for (; more && *more; more = walk->next()) {
    const std::string path(walk->path());
    if (walk->leaving()) {
      ASSERT_FALSE(inside.empty());
      EXPECT_EQ(inside.back(), path);
      inside.pop_back();
      continue;
    }
    EXPECT_EQ(walk->depth(), inside.size());
    EXPECT_TRUE(inside.empty() || path.compare(0, inside.back().size(), inside.back()) == 0);
    if (walk->entry().is_directory()) inside.push_back(path);
    visited.insert(path);
  }
  ASSERT_TRUE(more) << more.error().message();
  EXPECT_TRUE(inside.empty());
  EXPECT_EQ(visited, wanted);
}

}  // namespace

void expect_same(const ResultsFilesystem& results, const ModelTree& tree) {
  EXPECT_EQ(results.facts(), facts_of(tree));
  EXPECT_EQ(results.totals().rows, tree.rows);
  for (const auto& [path, directory] : tree.directories) {
    expect_same_rows(results, path, directory);
    if (below_a_root(tree, path)) expect_same_listing(results, path, directory);
    if (::testing::Test::HasFatalFailure()) return;
  }
  for (const std::string& root : tree.roots) expect_same_walk(results, tree, root);
  const auto outside = results.list("/no/such/root");
  ASSERT_FALSE(outside);
  EXPECT_EQ(outside.error().code, ENOENT);
}

void expect_same_batches(const ResultsFilesystem& results, const std::vector<LaneBatch>& batches) {
  ASSERT_EQ(results.totals().batches, batches.size());
  for (std::size_t i = 0; i < batches.size(); ++i) {
    const auto read = results.batch(i);
    ASSERT_TRUE(read) << read.error().message();
    const AlignedBytes& wanted = *batches[i].bytes;
    EXPECT_EQ(read->lane, batches[i].lane);
    EXPECT_EQ(read->sequence, batches[i].sequence);
    EXPECT_TRUE(std::ranges::equal(read->view->bytes(), wanted.span()));
  }
}

void write_image(const std::string& file, const ModelTree& tree, const std::vector<LaneBatch>& batches, std::size_t commit_every) {
  auto writer = ImageWriter::create(file, facts_of(tree));
  ASSERT_TRUE(writer) << writer.error().message();
  for (std::size_t i = 0; i < batches.size(); ++i) {
    const auto added = writer->append(batches[i].lane, batches[i].sequence, batches[i].view());
    ASSERT_TRUE(added) << added.error().message();
    const bool commit = (i + 1) % commit_every == 0;
    ASSERT_TRUE(!commit || writer->commit());
  }
  const auto finished = writer->finish(ImageState::complete, 42);
  ASSERT_TRUE(finished) << finished.error().message();
}

ScratchDirectory::ScratchDirectory() {
  std::string pattern = (std::filesystem::temp_directory_path() / "pwalk-image.XXXXXX").string();
  if (!::mkdtemp(pattern.data())) std::abort();
  path_ = pattern;
}
ScratchDirectory::~ScratchDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::vector<std::byte> read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}
void write_file(const std::string& path, std::span<const std::byte> bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(reinterpret_cast<const char*>(bytes.data()), std::streamsize(bytes.size()));
}

}  // namespace pwalk::image::testing
