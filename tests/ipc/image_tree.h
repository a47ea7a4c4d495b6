#pragma once

#include <unistd.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "pwalk/image/image_writer.h"
#include "pwalk/image/results_filesystem.h"
#include "schema/random_rows.h"

/// A tree of our own making, kept as plain maps: the independent model that images
/// are compared with.
namespace pwalk::image::testing {

using schema::testing::below;
using schema::testing::one_in;
using schema::testing::Random;
using schema::testing::test_seed;

struct ModelDirectory {
  std::map<std::string, schema::Entry> rows;  ///< by name; Entry::name is empty
  bool entered = true;                        ///< it has a record
  schema::DirectoryRecord record;
};

struct ModelTree {
  std::vector<std::string> roots;
  std::map<std::string, ModelDirectory> directories;  ///< by path as batches name it: "" for `/`
  std::uint64_t rows = 0;

  /// Gives every directory its record's sums.
  void settle();
};

struct TreeShape {
  std::size_t rows = 500;
  std::size_t large_directory = 0;  ///< rows of one directory that gets that many
  bool hostile = true;              ///< names, values, errors, vanished rows, unread directories
  std::vector<std::string> roots{"/srv/data"};
};
ModelTree random_tree(Random& random, const TreeShape& shape);

/// One batch as a lane would carry it.
struct LaneBatch {
  std::uint32_t lane = 0;
  std::uint64_t sequence = 0;
  std::shared_ptr<schema::testing::AlignedBytes> bytes;

  schema::EntryBatchView view() const;
};

/// The tree in batches: several workers, directories suspended and taken up again, also
/// by another worker; lanes interleaved.
std::vector<LaneBatch> publish(Random& random, const ModelTree& tree, schema::BatchLimits limits = {});

ScanFacts facts_of(const ModelTree& tree);

/// Compares everything: stat of every row, every listing, errors for what is not there,
/// the walk, the totals. Fails the running test with what differs.
void expect_same(const ResultsFilesystem& results, const ModelTree& tree);
void expect_same_batches(const ResultsFilesystem& results, const std::vector<LaneBatch>& batches);
void expect_same_entry(const EntryRef& found, const std::string& name, const schema::Entry& wanted);

/// An image of those batches, finished; commits every `commit_every` batches.
void write_image(const std::string& file, const ModelTree& tree, const std::vector<LaneBatch>& batches,
                 std::size_t commit_every = 1000);

/// A directory of its own under TMPDIR, removed with what is in it.
class ScratchDirectory {
 public:
  ScratchDirectory();
  ~ScratchDirectory();
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::vector<std::byte> read_file(const std::string& path);
void write_file(const std::string& path, std::span<const std::byte> bytes);

}  // namespace pwalk::image::testing
