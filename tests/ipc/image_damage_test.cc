// Truncated, flipped and forged images: an error with the offset or the right
// answer, never another answer and never a crash.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "append_file.h"
#include "checksum.h"
#include "image_layout.h"
#include "ipc/image_tree.h"
#include "pwalk/base/unique_fd.h"
#include "pwalk/image/tree_walk.h"

namespace pwalk::image::testing {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#elif defined(__has_feature)
constexpr bool kSanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool kSanitized = false;
#endif
/// Sanitizers make each try some twenty times as long: they get a sample, which the seed draws anew in each run.
constexpr std::size_t kEveryNth = kSanitized ? 24 : 1;

/// Steps of kEveryNth * `most` / 2 on average; of 1 if both are 1.
std::size_t stride(Random& random, std::size_t most = 1) { return 1 + below(random, kEveryNth * most * (kSanitized ? 2 : 1)); }

/// Everything a reader can learn of an image, as text; or the first error.
Result<std::string> read_everything(const ResultsFilesystem& results) {
  std::string text;
  for (std::uint64_t i = 0; i < results.totals().batches; ++i) {
    const auto batch = results.batch(i);
    if (!batch) return tl::unexpected(batch.error());
    text.append(reinterpret_cast<const char*>(batch->view->bytes().data()), batch->view->bytes().size());
  }
  for (const std::string& root : results.facts().roots) {
    auto walk = TreeWalk::start(results, root, {});
    if (!walk) return tl::unexpected(walk.error());
    for (;;) {
      const auto more = walk->next();
      if (!more) return tl::unexpected(more.error());
      if (!*more) break;
      const auto entry = results.stat(walk->path());
      if (!entry) return tl::unexpected(entry.error());
      text += std::string(walk->path()) + "=" + std::to_string(entry->get<std::uint64_t>(schema::Column::inode)) + "\n";
    }
  }
  return text + std::to_string(int(results.state())) + std::to_string(results.totals().rows);
}

Result<std::string> read_image(const std::string& file, ImageAccess access) {
  const auto results = ResultsFilesystem::open(file, access);
  if (!results) return tl::unexpected(results.error());
  return read_everything(*results);
}

/// One bit of a file is wrong as long as this lives.
class Flip {
 public:
  Flip(const std::string& file, std::size_t at, std::byte right, Random& random)
      : fd_(::open(file.c_str(), O_WRONLY | O_CLOEXEC)), at_(off_t(at)), right_(right) {
    put(right ^ std::byte(1u << below(random, 8)));
  }
  Flip(const Flip&) = delete;
  ~Flip() { put(right_); }

 private:
  void put(std::byte value) { EXPECT_EQ(::pwrite(fd_.get(), &value, 1, at_), 1); }
  UniqueFd fd_;
  off_t at_;
  std::byte right_;
};

class ImageDamage : public ::testing::TestWithParam<ImageAccess> {
 protected:
  void SetUp() override { make_image({.rows = 12, .hostile = false}, 6); }

  void make_image(const TreeShape& shape, std::uint32_t batch_rows) {
    tree_ = random_tree(random_, shape);
    batches_ = publish(random_, tree_, {batch_rows, 252 * 1024});
    write_image(file_, tree_, batches_, 2);
    bytes_ = read_file(file_);
    truth_ = *read_image(file_, GetParam());
  }

  /// An unfinished image with three commits; the last uncommitted batch is in the file too.
  std::vector<std::byte> growing_image() {
    auto writer = ImageWriter::create(scratch_.file("growing"), facts_of(tree_));
    for (std::size_t i = 0; i < batches_.size(); ++i) {
      EXPECT_TRUE(writer->append(batches_[i].lane, batches_[i].sequence, batches_[i].view()));
      EXPECT_TRUE(i % 2 == 0 || writer->commit());
    }
    return read_file(writer->partial_file());
  }

  /// Whatever a damaged growing image shows is the beginning of the stream.
  void expect_prefix(const std::string& file) {
    const auto results = ResultsFilesystem::open(file, GetParam());
    if (!results) return;
    for (std::uint64_t i = 0; i < results->totals().batches; ++i) {
      const auto batch = results->batch(i);
      if (!batch) continue;
      ASSERT_LT(i, batches_.size());
      const schema::testing::AlignedBytes& wanted = *batches_[i].bytes;
      ASSERT_TRUE(std::ranges::equal(batch->view->bytes(), wanted.span()));
    }
  }

  Random random_{test_seed()};
  ScratchDirectory scratch_;
  std::string file_ = scratch_.file("damaged.img");
  ModelTree tree_;
  std::vector<LaneBatch> batches_;
  std::vector<std::byte> bytes_;
  std::string truth_;
};

TEST_P(ImageDamage, TruncatedAtEveryLength) {
  // Cut shorter and shorter, so that the file is written once. A copy costs its length each
  // time, so copies are sampled; the seed says where.
  const std::size_t most = GetParam() == ImageAccess::map ? 1 : 128;
  write_file(file_, bytes_);
  for (std::size_t length = bytes_.size(); length > 0;) {
    length -= std::min(length, stride(random_, most));
    std::filesystem::resize_file(file_, length);
    const auto results = ResultsFilesystem::open(file_, GetParam());
    ASSERT_FALSE(results) << "opened with " << length << " of " << bytes_.size() << " bytes";
    ASSERT_EQ(results.error().code, EPROTO) << results.error().message();
    ASSERT_NE(results.error().what.find("offset"), std::string::npos) << results.error().message();
  }
}

TEST_P(ImageDamage, EveryByteFlipped) {
  std::size_t refused = 0, tried = 0;
  for (std::size_t at = 0; at < bytes_.size(); at += stride(random_), ++tried) {
    const Flip flip(file_, at, bytes_[at], random_);
    const auto read = read_image(file_, GetParam());
    refused += !read;
    if (read) {
      ASSERT_EQ(*read, truth_) << "byte " << at;
    } else {
      ASSERT_EQ(read.error().code, EPROTO) << "byte " << at << ": " << read.error().message();
    }
  }
  EXPECT_GT(refused, tried / 5);  // gaps and dead segments aside, damage is noticed
}

TEST_P(ImageDamage, GrowingImagesFallBackToAnOlderCommit) {
  const auto whole = growing_image();
  write_file(file_, whole);
  for (std::size_t length = whole.size(); length > 0;) {
    length -= std::min(length, stride(random_, 16));
    std::filesystem::resize_file(file_, length);
    expect_prefix(file_);
  }
  write_file(file_, whole);
  for (std::size_t at = 0; at < whole.size(); at += stride(random_, 6)) {
    const Flip flip(file_, at, whole[at], random_);
    expect_prefix(file_);
  }
}

TEST_P(ImageDamage, ADamagedSlotOfAFinishedImageCostsNothing) {
  for (const std::uint64_t slot : layout::kSlotOffset) {
    auto flipped = bytes_;
    flipped[slot + 20] ^= std::byte{1};
    write_file(file_, flipped);
    const auto read = read_image(file_, GetParam());
    ASSERT_TRUE(read) << read.error().message();
    EXPECT_EQ(*read, truth_);
  }
}

TEST_P(ImageDamage, OtherFilesAreRefused) {
  const auto refused = [&](std::string_view content, std::string_view reason) {
    write_file(file_, std::as_bytes(std::span(content)));
    const auto results = ResultsFilesystem::open(file_, GetParam());
    ASSERT_FALSE(results);
    EXPECT_EQ(results.error().code, EPROTO);
    EXPECT_NE(results.error().what.find(reason), std::string::npos) << results.error().what;
  };
  refused("", "too short");
  refused(std::string(100'000, 'x'), "not a pwalk image");
  auto newer = bytes_;
  newer[offsetof(layout::Header, version)] = std::byte{2};
  refused({reinterpret_cast<const char*>(newer.data()), newer.size()}, "format version 2");
  const auto directory = ResultsFilesystem::open(scratch_.path(), GetParam());
  ASSERT_FALSE(directory);
  EXPECT_EQ(directory.error().code, EPROTO);
  const std::string fifo = scratch_.file("fifo");
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_EQ(ResultsFilesystem::open(fifo, GetParam()).error().code, EPROTO);
  EXPECT_EQ(ResultsFilesystem::open(scratch_.file("absent"), GetParam()).error().code, ENOENT);
}

/// Changes images behind their checksums: what is not found by a checksum must be
/// found before it is used.
class Forger {
 public:
  Forger(Random& random, std::vector<std::byte> bytes) : random_(random), bytes_(std::move(bytes)) {}

  std::vector<std::byte> forge() {
    layout::Slot slot = at<layout::Slot>(layout::kSlotOffset[0]);
    layout::CommitRecord record = at<layout::CommitRecord>(slot.record_offset);
    layout::SegmentRow segment = at<layout::SegmentRow>(slot.record_offset + sizeof record);
    switch (below(random_, 5)) {
      case 0: scribble_pages(segment.directories_offset, segment.directory_entries, layout::DirectoryPage::kCapacity); break;
      case 1: scribble_pages(segment.names_offset, segment.name_entries, layout::NamePage::kCapacity); break;
      case 2:
        scribble(segment.batches_offset, segment.batch_count * sizeof(layout::BatchRow));
        segment.batches_checksum = sum(segment.batches_offset, segment.batch_count * sizeof(layout::BatchRow));
        break;
      case 3: scribble_batch(segment); break;
      default: put(slot.record_offset + sizeof record, segment); scribble(slot.record_offset, slot.record_bytes); return sealed(slot);
    }
    put(slot.record_offset + sizeof record, segment);
    return sealed(slot);
  }

 private:
  template <class T>
  T at(std::uint64_t offset) const {
    T value{};
    std::memcpy(&value, bytes_.data() + offset, sizeof value);
    return value;
  }
  template <class T>
  void put(std::uint64_t offset, const T& value) { std::memcpy(bytes_.data() + offset, &value, sizeof value); }
  std::uint64_t sum(std::uint64_t offset, std::uint64_t length) const {
    return checksum(std::span(bytes_).subspan(offset, length), offset);
  }
  void scribble(std::uint64_t offset, std::uint64_t length) {
    for (std::uint64_t times = 1 + below(random_, 4); times != 0 && length != 0; --times) {
      const std::uint64_t where = offset + below(random_, length);
      bytes_[where] = one_in(random_, 2) ? std::byte(random_()) : std::byte(one_in(random_, 2) ? 0xff : 0);
    }
  }
  void scribble_pages(std::uint64_t offset, std::uint64_t entries, std::uint64_t capacity) {
    for (std::uint64_t page = 0; page * capacity < entries; ++page, offset += layout::kPageBytes) {
      scribble(offset + 16, layout::kPageBytes - 16);
      put(offset, checksum(std::span(bytes_).subspan(offset + 8, layout::kPageBytes - 8), offset));
    }
  }
  void scribble_batch(layout::SegmentRow& segment) {
    const std::uint64_t place = segment.batches_offset + below(random_, segment.batch_count) * sizeof(layout::BatchRow);
    auto batch = at<layout::BatchRow>(place);
    scribble(batch.offset, batch.bytes);
    batch.checksum = sum(batch.offset, batch.bytes);
    put(place, batch);
    segment.batches_checksum = sum(segment.batches_offset, segment.batch_count * sizeof(layout::BatchRow));
  }
  std::vector<std::byte> sealed(layout::Slot slot) {
    slot.record_checksum = sum(slot.record_offset, slot.record_bytes);
    for (const std::uint64_t offset : layout::kSlotOffset) {
      slot.checksum = checksum(bytes_of(slot).first(offsetof(layout::Slot, checksum)), offset);
      put(offset, slot);
    }
    return bytes_;
  }

  Random& random_;
  std::vector<std::byte> bytes_;
};

TEST_P(ImageDamage, ForgedImagesAreSurvived) {
  make_image({.rows = 60, .large_directory = 300, .hostile = false}, 128);
  std::size_t opened = 0;
  constexpr std::size_t kRounds = 1000 / kEveryNth;
  for (std::size_t round = 0; round < kRounds; ++round) {
    write_file(file_, Forger(random_, bytes_).forge());
    const auto results = ResultsFilesystem::open(file_, GetParam());
    if (!results) continue;
    ++opened;
    (void)read_everything(*results);
    for (const auto& [path, directory] : tree_.directories)
      for (const auto& [name, entry] : directory.rows) (void)results->stat(path + "/" + name);
  }
  EXPECT_GT(opened, kRounds / 10);  // the forger gets past the checksums
}

INSTANTIATE_TEST_SUITE_P(Access, ImageDamage, ::testing::Values(ImageAccess::map, ImageAccess::copy),
                         [](const auto& access) { return access.param == ImageAccess::map ? "Mapped" : "Copied"; });

}  // namespace
}  // namespace pwalk::image::testing
