#include "pwalk/image/image_writer.h"

#include <sys/random.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <vector>

#include "append_file.h"
#include "checksum.h"
#include "facts_codec.h"
#include "image_layout.h"
#include "pending_index.h"
#include "segment_merge.h"

namespace pwalk::image {
namespace {

/// So many neighbours of one level are merged into one of the next.
constexpr std::size_t kMergeWays = 8;

std::uint64_t saturating_add(std::uint64_t a, std::uint64_t b) {
  std::uint64_t sum = 0;
  return __builtin_add_overflow(a, b, &sum) ? ~std::uint64_t{0} : sum;
}

layout::Header new_header() {
  layout::Header header{};
  std::memcpy(header.magic, layout::kMagic, sizeof header.magic);
  header.version = layout::kVersion;
  // Neither value is a secret that matters if the kernel should have no randomness
  // yet: the id tells files apart, the seed spoils chosen collisions.
  if (::getrandom(header.id, sizeof header.id, GRND_NONBLOCK) < 0 ||
      ::getrandom(&header.seed, sizeof header.seed, GRND_NONBLOCK) < 0) {
    const auto now = std::chrono::system_clock::now().time_since_epoch().count();
    std::memcpy(header.id, &now, sizeof now);
    header.seed = std::uint64_t(now);
  }
  return header;
}

}  // namespace

struct ImageWriter::Impl {
  using Clock = std::chrono::steady_clock;
  struct Segment {
    layout::SegmentRow row;
    unsigned level = 0;
  };

  Impl(AppendFile opened, const WriterOptions& limits, const layout::Header& head)
      : options(limits), header(head), file(std::move(opened)), pending(head.seed) {}

  Result<void> write_front(const ScanFacts& facts);
  Result<void> append(std::uint32_t lane, std::uint64_t sequence, const schema::EntryBatchView& batch);
  void count(const schema::EntryBatchView& batch);
  Result<void> commit(ImageState state);
  Result<void> write_segment();
  Result<void> merge_last(std::size_t ways);
  Result<void> merge_full_levels();
  Result<layout::Slot> write_record(ImageState state);
  Result<void> write_slot(const layout::Slot& slot, unsigned which);
  Result<void> finish(ImageState state);
  Result<void> once(Result<void> result);

  WriterOptions options;
  layout::Header header;
  AppendFile file;
  PendingIndex pending;
  std::vector<layout::BatchRow> table;  // of the batches not yet committed
  std::uint64_t uncommitted_bytes = 0, uncommitted_rows = 0;
  Clock::time_point oldest_uncommitted{};
  std::vector<Segment> segments;
  std::map<std::uint32_t, std::uint64_t> lanes;
  ImageTotals totals;
  std::uint64_t commits = 0;
  std::int64_t finished_ns = 0;
  std::optional<Error> failed;
};

/// Header and facts, then an empty first commit: the file is an image from the start.
Result<void> ImageWriter::Impl::write_front(const ScanFacts& facts) {
  const auto encoded = encode_facts(facts);
  if (auto front = file.reserve(layout::kFirstObject, 1); !front) return tl::unexpected(front.error());
  auto offset = file.append(encoded, layout::kObjectAlignment);
  if (!offset) return tl::unexpected(offset.error());
  header.facts_offset = *offset;
  header.facts_bytes = encoded.size();
  header.facts_checksum = checksum(encoded, *offset);
  header.checksum = checksum(bytes_of(header).first(offsetof(layout::Header, checksum)), 0);
  if (auto wrote = file.write_at(0, bytes_of(header)); !wrote) return wrote;
  return commit(ImageState::growing);
}

void ImageWriter::Impl::count(const schema::EntryBatchView& batch) {
  ++totals.batches;
  totals.rows += batch.rows();
  totals.records += batch.record_count();
  totals.errors += schema::count_errors(batch);
  totals.file_bytes = saturating_add(totals.file_bytes, batch.file_bytes());
  totals.content_hash += batch.content_hash();
}

Result<void> ImageWriter::Impl::append(std::uint32_t lane, std::uint64_t sequence, const schema::EntryBatchView& batch) {
  if (totals.batches >= 0xffffffff) return fail(EFBIG, "an image holds at most 2^32-1 batches");
  const auto at = lanes.find(lane);
  if (at != lanes.end() && sequence < at->second)
    return fail(EINVAL, "lane " + std::to_string(lane) + " went back to batch " + std::to_string(sequence));
  const auto bytes = batch.bytes();
  auto offset = file.append(bytes, layout::kObjectAlignment);
  if (!offset) return tl::unexpected(offset.error());
  if (table.empty()) oldest_uncommitted = Clock::now();
  table.push_back({*offset, sequence, checksum(bytes, *offset), std::uint32_t(bytes.size()), batch.rows(), lane,
                   batch.record_count()});
  pending.add(std::uint32_t(totals.batches), batch);
  count(batch);
  lanes[lane] = sequence + 1;
  uncommitted_bytes += bytes.size();
  uncommitted_rows += batch.rows();
  return {};
}

Result<void> ImageWriter::Impl::write_segment() {
  if (table.empty()) return {};
  auto row = pending.write(file);
  if (!row) return tl::unexpected(row.error());
  if (auto done = append_batch_table(file, table, *row); !done) return done;
  row->first_batch = std::uint32_t(totals.batches - table.size());
  segments.push_back({*row, 0});
  table.clear();
  uncommitted_bytes = uncommitted_rows = 0;
  return {};
}

Result<void> ImageWriter::Impl::merge_last(std::size_t ways) {
  std::vector<layout::SegmentRow> rows;
  for (std::size_t i = segments.size() - ways; i < segments.size(); ++i) rows.push_back(segments[i].row);
  auto merged = merge_segments(file, rows);
  if (!merged) return tl::unexpected(merged.error());
  const unsigned level = segments[segments.size() - ways].level + 1;
  segments.resize(segments.size() - ways);
  segments.push_back({*merged, level});
  return {};
}

Result<void> ImageWriter::Impl::merge_full_levels() {
  const auto last_level_is_full = [this] {
    if (segments.size() < kMergeWays) return false;
    return segments[segments.size() - kMergeWays].level == segments.back().level;
  };
  while (last_level_is_full())
    if (auto merged = merge_last(kMergeWays); !merged) return merged;
  return {};
}

Result<layout::Slot> ImageWriter::Impl::write_record(ImageState state) {
  layout::CommitRecord fixed{};
  fixed.commit = ++commits;
  fixed.batches = totals.batches;
  fixed.rows = totals.rows;
  fixed.records = totals.records;
  fixed.errors = totals.errors;
  fixed.file_size_sum = totals.file_bytes;
  fixed.content_hash = totals.content_hash;
  fixed.finished_ns = finished_ns;
  fixed.state = std::uint32_t(state);
  fixed.segments = std::uint32_t(segments.size());
  fixed.lanes = std::uint32_t(lanes.size());
  std::vector<std::byte> bytes;
  const auto put = [&bytes](const auto& value) {
    const auto raw = bytes_of(value);
    bytes.insert(bytes.end(), raw.begin(), raw.end());
  };
  put(fixed);
  for (const Segment& segment : segments) put(segment.row);
  for (const auto& [lane, next] : lanes) put(layout::LaneRow{lane, 0, next});

  auto offset = file.append(bytes, layout::kObjectAlignment);
  if (!offset) return tl::unexpected(offset.error());
  layout::Slot slot{};
  std::memcpy(slot.id, header.id, sizeof slot.id);
  slot.commit = commits;
  slot.record_offset = *offset;
  slot.record_bytes = bytes.size();
  slot.record_checksum = checksum(bytes, *offset);
  slot.file_bytes = file.end();
  slot.state = std::uint32_t(state);
  return slot;
}

Result<void> ImageWriter::Impl::write_slot(const layout::Slot& slot, unsigned which) {
  layout::Slot placed = slot;
  const std::uint64_t offset = layout::kSlotOffset[which];
  placed.checksum = checksum(bytes_of(placed).first(offsetof(layout::Slot, checksum)), offset);
  return file.write_at(offset, bytes_of(placed));
}

Result<void> ImageWriter::Impl::commit(ImageState state) {
  if (auto done = write_segment(); !done) return done;
  if (auto done = merge_full_levels(); !done) return done;
  auto slot = write_record(state);
  if (!slot) return tl::unexpected(slot.error());
  return write_slot(*slot, slot->commit % 2);
}

/// The file is synchronised before the slots say that it is finished, and again
/// after, so that no crash of the machine leaves a finished slot over missing bytes.
Result<void> ImageWriter::Impl::finish(ImageState state) {
  if (auto done = write_segment(); !done) return done;
  if (segments.size() > 1)
    if (auto done = merge_last(segments.size()); !done) return done;
  auto slot = write_record(state);
  if (!slot) return tl::unexpected(slot.error());
  if (auto done = file.synchronise(); !done) return done;
  for (const unsigned which : {0u, 1u})
    if (auto done = write_slot(*slot, which); !done) return done;
  if (auto done = file.synchronise(); !done) return done;
  return file.publish();
}

Result<void> ImageWriter::Impl::once(Result<void> result) {
  if (!result) failed = result.error();
  return result;
}

Result<ImageWriter> ImageWriter::create(const std::string& file, const ScanFacts& facts, const WriterOptions& options) {
  auto opened = AppendFile::create(file, options.max_bytes);
  if (!opened) return tl::unexpected(opened.error());
  auto impl = std::make_unique<Impl>(*std::move(opened), options, new_header());
  if (auto front = impl->write_front(facts); !front) return tl::unexpected(front.error());
  return ImageWriter(std::move(impl));
}

ImageWriter::ImageWriter(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ImageWriter::ImageWriter(ImageWriter&&) noexcept = default;
ImageWriter& ImageWriter::operator=(ImageWriter&&) noexcept = default;
ImageWriter::~ImageWriter() = default;

Result<void> ImageWriter::append(std::uint32_t lane, std::uint64_t sequence, const schema::EntryBatchView& batch) {
  if (impl_->failed) return tl::unexpected(*impl_->failed);
  return impl_->once(impl_->append(lane, sequence, batch));
}

bool ImageWriter::commit_due() const {
  const Impl& impl = *impl_;
  if (impl.table.empty()) return false;
  return impl.uncommitted_bytes >= impl.options.commit_bytes || impl.uncommitted_rows >= impl.options.commit_rows ||
         Impl::Clock::now() - impl.oldest_uncommitted >= impl.options.commit_age;
}

Result<void> ImageWriter::commit() {
  if (impl_->failed) return tl::unexpected(*impl_->failed);
  if (impl_->table.empty()) return {};
  return impl_->once(impl_->commit(ImageState::growing));
}

Result<void> ImageWriter::commit_as_cut_short() {
  if (impl_->failed) return tl::unexpected(*impl_->failed);
  auto done = impl_->once(impl_->commit(ImageState::cut_short));
  if (done) impl_->failed = Error{EINVAL, "the image is finished"};
  return done;
}

Result<void> ImageWriter::finish(ImageState state, std::int64_t finished_ns) {
  if (impl_->failed) return tl::unexpected(*impl_->failed);
  impl_->finished_ns = finished_ns;
  auto done = impl_->once(impl_->finish(state));
  if (done) impl_->failed = Error{EINVAL, "the image is finished"};
  return done;
}

const ImageTotals& ImageWriter::totals() const { return impl_->totals; }
std::uint64_t ImageWriter::bytes() const { return impl_->file.end(); }
const std::string& ImageWriter::partial_file() const { return impl_->file.partial(); }

}  // namespace pwalk::image
