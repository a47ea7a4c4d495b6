#include "snapshot.h"

#include <algorithm>
#include <cstring>
#include <iterator>

#include "append_file.h"
#include "checksum.h"
#include "facts_codec.h"
#include "listing.h"
#include "path_text.h"
#include "pwalk/base/lies_below.h"

namespace pwalk {

using image::ImageFile;
using image::ImageState;
using image::SegmentReader;
using schema::EntryBatchView;
namespace layout = image::layout;

namespace {

constexpr std::uint64_t kMostFactBytes = 64 << 20;
constexpr std::uint64_t kMostRecordBytes = 64 << 20;

bool roots_overlap(const std::vector<std::string>& roots) {
  // Sorted with '/' below every other byte, a nested root follows its outer one.
  auto sorted = roots;
  const auto key = [](char c) { return c == '/' ? 0 : int(static_cast<unsigned char>(c)) + 1; };
  std::sort(sorted.begin(), sorted.end(), [&](const std::string& a, const std::string& b) {
    return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(),
                                        [&](char x, char y) { return key(x) < key(y); });
  });
  for (std::size_t i = 1; i < sorted.size(); ++i)
    if (lies_below(sorted[i], sorted[i - 1])) return true;
  return false;
}

/// The directory of that number has this path. Lengths first: they differ nearly always.
bool has_path(const EntryBatchView& batch, std::uint32_t directory, std::string_view path) {
  if (batch.directory_path_length(directory) != path.size()) return false;
  thread_local std::string text;
  text.clear();
  batch.append_directory_path(directory, text);
  return text == path;
}

/// The row of that name in a run, or none.
EntryRef find_in_run(const RowRun& run, std::string_view name) {
  const auto offsets = run.batch->name_offsets();
  const char* bytes = run.batch->name_bytes().data();
  for (std::uint32_t row = run.first; row < run.first + run.count; ++row) {
    const auto from = std::size_t(offsets[row]);
    if (std::size_t(offsets[row + 1]) - from != name.size()) continue;
    if (std::memcmp(bytes + from, name.data(), name.size()) == 0) return {*run.batch, row};
  }
  return {};
}

bool found(const EntryRef& entry, std::string_view name) { return entry && (name.empty() || is_visible(entry)); }

}  // namespace

Result<std::shared_ptr<const ResultsFilesystem::Snapshot>> ResultsFilesystem::Snapshot::load(std::shared_ptr<ImageFile> file) {
  std::shared_ptr<Snapshot> made(new Snapshot(std::move(file)));
  for (const auto step : {&Snapshot::load_header, &Snapshot::load_newest_commit, &Snapshot::load_facts})
    if (auto done = (made.get()->*step)(); !done) return tl::unexpected(done.error());
  return std::shared_ptr<const Snapshot>(std::move(made));
}

ResultsFilesystem::Snapshot::~Snapshot() {
  for (std::uint64_t i = 0; views_ && i < totals_.batches; ++i) delete views_[i].load(std::memory_order_relaxed);
}

Result<void> ResultsFilesystem::Snapshot::load_header() {
  if (auto got = file_->read(0, std::as_writable_bytes(std::span(&header_, 1))); !got)
    return got.error().code == EPROTO ? file_->damaged(0, "too short for an image") : got;
  if (std::memcmp(header_.magic, layout::kMagic, sizeof header_.magic) != 0)
    return file_->damaged(0, "not a pwalk image");
  if (header_.version != layout::kVersion)
    return file_->damaged(offsetof(layout::Header, version),
                          "format version " + std::to_string(header_.version) + "; this program reads version " +
                              std::to_string(layout::kVersion));
  if (image::checksum(image::bytes_of(header_).first(offsetof(layout::Header, checksum)), 0) != header_.checksum)
    return file_->damaged(0, "the header does not match its checksum");
  return {};
}

/// A writer may be replacing one slot at this moment, so both are looked at anew a few times.
Result<void> ResultsFilesystem::Snapshot::load_newest_commit() {
  Result<void> outcome = file_->damaged(layout::kSlotOffset[0], "neither commit slot matches its checksum");
  for (int attempt = 0; attempt < 4; ++attempt) {
    std::vector<layout::Slot> whole;
    for (const std::uint64_t offset : layout::kSlotOffset) {
      layout::Slot slot{};
      if (auto got = file_->read(offset, std::as_writable_bytes(std::span(&slot, 1))); !got) {
        if (whole.empty()) outcome = got;
        continue;
      }
      const auto content = image::bytes_of(slot).first(offsetof(layout::Slot, checksum));
      if (image::checksum(content, offset) == slot.checksum && std::memcmp(slot.id, header_.id, sizeof slot.id) == 0)
        whole.push_back(slot);
    }
    std::sort(whole.begin(), whole.end(), [](const auto& a, const auto& b) { return a.commit > b.commit; });
    for (const layout::Slot& slot : whole) {
      outcome = load_commit(slot);
      // Only a growing image has an older commit worth falling back to.
      if (outcome || slot.state != std::uint32_t(ImageState::growing)) return outcome;
    }
  }
  return outcome;
}

Result<void> ResultsFilesystem::Snapshot::load_commit(const layout::Slot& slot) {
  const std::uint64_t at = slot.record_offset, length = slot.record_bytes;
  if (at % layout::kObjectAlignment != 0 || at < layout::kFirstObject || at > slot.file_bytes ||
      length > slot.file_bytes - at || length < sizeof(layout::CommitRecord) || length > kMostRecordBytes)
    return file_->damaged(at, "the commit record does not lie in the file");
  auto fresh = file_->sibling();
  if (auto given = fresh->provide(slot.file_bytes); !given) return given;
  if (auto got = fresh->fetch(at, length); !got) return got;
  const auto bytes = fresh->at(at, length);
  if (image::checksum(bytes, at) != slot.record_checksum)
    return file_->damaged(at, "the commit record does not match its checksum");
  file_ = std::move(fresh);
  layout::CommitRecord record{};
  std::memcpy(&record, bytes.data(), sizeof record);
  if (record.state != slot.state || record.state < std::uint32_t(ImageState::growing) ||
      record.state > std::uint32_t(ImageState::cut_short))
    return file_->damaged(at, "the commit record has an unknown state");
  if (length != sizeof record + record.segments * sizeof(layout::SegmentRow) + record.lanes * sizeof(layout::LaneRow))
    return file_->damaged(at, "the commit record has a wrong length");
  return read_record(record, bytes.subspan(sizeof record));
}

Result<void> ResultsFilesystem::Snapshot::read_record(const layout::CommitRecord& record, std::span<const std::byte> rest) {
  std::vector<layout::SegmentRow> segments(record.segments);
  std::vector<layout::LaneRow> lanes(record.lanes);
  if (!segments.empty()) std::memcpy(segments.data(), rest.data(), std::span(segments).size_bytes());
  rest = rest.subspan(std::span(segments).size_bytes());
  if (!lanes.empty()) std::memcpy(lanes.data(), rest.data(), rest.size());

  lanes_.clear();
  for (const layout::LaneRow& lane : lanes) lanes_.push_back({lane.lane, lane.next});
  state_ = ImageState(record.state);
  finished_ns_ = record.finished_ns;
  if (auto opened = open_segments(segments, record.batches); !opened) return opened;
  totals_ = {record.batches, record.rows, record.records, record.errors, record.file_size_sum, record.content_hash};
  views_ = std::make_unique<std::atomic<const EntryBatchView*>[]>(totals_.batches);
  return {};
}

Result<void> ResultsFilesystem::Snapshot::open_segments(const std::vector<layout::SegmentRow>& rows, std::uint64_t expected) {
  segments_.clear();
  std::uint64_t batches = 0;
  for (const layout::SegmentRow& row : rows) {
    if (row.first_batch != batches) return file_->damaged(row.batches_offset, "the index segments do not cover all batches");
    batches += row.batch_count;
    auto segment = SegmentReader::open(*file_, row);
    if (!segment) return tl::unexpected(segment.error());
    segments_.push_back(*std::move(segment));
  }
  if (batches != expected) return file_->damaged(0, "the index segments do not cover all batches");
  return {};
}

Result<void> ResultsFilesystem::Snapshot::load_facts() {
  const std::uint64_t at = header_.facts_offset, length = header_.facts_bytes;
  if (at % layout::kObjectAlignment != 0 || at < layout::kFirstObject || length > kMostFactBytes ||
      at > file_->bytes() || length > file_->bytes() - at)
    return file_->damaged(at, "the scan's facts do not lie in the file");
  if (auto got = file_->fetch(at, length); !got) return got;
  if (image::checksum(file_->at(at, length), at) != header_.facts_checksum)
    return file_->damaged(at, "the scan's facts do not match their checksum");
  auto facts = image::decode_facts(file_->at(at, length));
  if (!facts) return file_->damaged(at, facts.error().what);
  facts_ = *std::move(facts);
  roots_overlap_ = roots_overlap(facts_.roots);
  std::copy_if(facts_.roots.begin(), facts_.roots.end(), std::back_inserter(dotted_roots_), image::goes_up);
  return {};
}

const SegmentReader& ResultsFilesystem::Snapshot::segment_of(std::uint32_t batch) const {
  const auto after = std::upper_bound(segments_.begin(), segments_.end(), batch,
                                      [](std::uint32_t number, const SegmentReader& s) { return number < s.first_batch(); });
  return *std::prev(after);
}

Result<const EntryBatchView*> ResultsFilesystem::Snapshot::view(std::uint32_t number) const {
  if (number >= totals_.batches)
    return file_->damaged(0, "the index names batch " + std::to_string(number) + " of " + std::to_string(totals_.batches));
  // acquire: pairs with the release in check_batch()
  if (const auto* ready = views_[number].load(std::memory_order_acquire)) return ready;
  return check_batch(number);
}

Result<const EntryBatchView*> ResultsFilesystem::Snapshot::check_batch(std::uint32_t number) const {
  const std::lock_guard alone(checking_[number % checking_.size()]);
  if (const auto* ready = views_[number].load(std::memory_order_relaxed)) return ready;  // ordered by the mutex
  const layout::BatchRow& row = row_of(number);
  if (auto got = file_->fetch(row.offset, row.bytes); !got) return tl::unexpected(got.error());
  auto fine = checked(number, file_->at(row.offset, row.bytes));
  if (!fine) return tl::unexpected(fine.error());
  const auto* view = new EntryBatchView(*std::move(fine));
  views_[number].store(view, std::memory_order_release);  // pairs with the acquire in view()
  return view;
}

const layout::BatchRow& ResultsFilesystem::Snapshot::row_of(std::uint32_t number) const {
  const SegmentReader& segment = segment_of(number);
  return segment.batches()[number - segment.first_batch()];
}

/// A batch's bytes, from the mapping or a copy of them, against all that is said of them.
Result<EntryBatchView> ResultsFilesystem::Snapshot::checked(std::uint32_t number, std::span<const std::byte> bytes) const {
  const layout::BatchRow& row = row_of(number);
  const auto name = "batch " + std::to_string(number);
  if (image::checksum(bytes, row.offset) != row.checksum)
    return file_->damaged(row.offset, name + " does not match its checksum");
  auto view = EntryBatchView::check(bytes);
  if (!view) return file_->damaged(row.offset, name + ": " + view.error().what);
  if (view->rows() != row.rows || view->record_count() != row.records)
    return file_->damaged(row.offset, name + " has other counts than the batch table says");
  return view;
}

Result<ImageBatch> ResultsFilesystem::Snapshot::batch(std::uint64_t number) const {
  if (number >= totals_.batches)
    return fail(EINVAL, "batch " + std::to_string(number) + ": the image has " + std::to_string(totals_.batches));
  auto found = view(std::uint32_t(number));
  if (!found) return tl::unexpected(found.error());
  ImageBatch batch = placed(number);
  batch.view = *found;
  return batch;
}

ImageBatch ResultsFilesystem::Snapshot::placed(std::uint64_t number) const {
  const layout::BatchRow& row = row_of(std::uint32_t(number));
  return {nullptr, row.lane, row.sequence};
}

Result<HeldImageBatch> ResultsFilesystem::Snapshot::hold(std::uint64_t number) const {
  if (number >= totals_.batches)
    return fail(EINVAL, "batch " + std::to_string(number) + ": the image has " + std::to_string(totals_.batches));
  const layout::BatchRow& row = row_of(std::uint32_t(number));
  HeldImageBatch held{{}, nullptr, row.lane, row.sequence};
  auto bytes = file_->at(row.offset, row.bytes);
  if (file_->copied()) {
    const std::shared_ptr<std::byte> copy(new (std::align_val_t(layout::kObjectAlignment)) std::byte[row.bytes],
                                          [](std::byte* copied) { ::operator delete[](copied, std::align_val_t(layout::kObjectAlignment)); });
    if (auto got = file_->read(row.offset, {copy.get(), row.bytes}); !got) return tl::unexpected(got.error());
    bytes = {copy.get(), row.bytes};
    held.bytes = copy;
  }
  auto view = checked(std::uint32_t(number), bytes);
  if (!view) return tl::unexpected(view.error());
  held.view = *std::move(view);
  return held;
}

/// The rows a run's locator names, if they are those of `directory` (false: another
/// directory with the same hash). A run without rows still has a batch.
Result<bool> ResultsFilesystem::Snapshot::run_of(const layout::Locator& locator, std::string_view directory, RowRun& into) const {
  auto batch = view(locator.batch());
  if (!batch) return tl::unexpected(batch.error());
  const EntryBatchView& in = **batch;
  const std::uint32_t rows = locator.rows(), first = rows ? locator.first_row() : 0;
  const auto wrong = [&] { return file_->damaged(0, "an index entry does not fit batch " + std::to_string(locator.batch())); };
  if (rows > in.rows() || first > in.rows() - rows) return wrong();
  __builtin_prefetch(&in.name_offsets()[first]);  // wanted once the path was compared
  const auto numbers = in.directory_index();
  const std::uint32_t number = rows ? std::uint32_t(numbers[first]) : locator.directory();
  if (number >= in.directory_count() || (rows && std::uint32_t(numbers[first + rows - 1]) != number)) return wrong();
  if (!has_path(in, number, directory)) return false;
  into = {&in, first, rows};
  return true;
}

Result<EntryRef> ResultsFilesystem::Snapshot::find_named(const SegmentReader& segment, const layout::Locator& names,
                                                         std::string_view directory, std::string_view name) const {
  auto cursor = segment.find_name(names, image::name_hash(name, header_.seed));
  if (!cursor) return tl::unexpected(cursor.error());
  layout::NameLocator at{};
  for (;;) {
    auto more = cursor->next(at);
    if (!more) return tl::unexpected(more.error());
    if (!*more) return EntryRef{};
    RowRun run;
    auto same = run_of(layout::Locator::run(layout::DirectoryEntryKind::named_run, at.batch(), at.row(), 1, 0), directory, run);
    if (!same) return tl::unexpected(same.error());
    if (*same && found({*run.batch, at.row()}, name) && run.batch->name(at.row()) == name) return EntryRef(*run.batch, at.row());
  }
}

Result<EntryRef> ResultsFilesystem::Snapshot::find_in_segment(const SegmentReader& segment, std::uint64_t hash,
                                                              std::string_view directory, std::string_view name) const {
  auto cursor = segment.find(hash);
  layout::Locator locator{};
  for (;;) {
    auto more = cursor.next(locator);
    if (!more) return tl::unexpected(more.error());
    // Named runs come last, and their names have been looked at.
    if (!*more || locator.kind == layout::DirectoryEntryKind::named_run) return EntryRef{};
    if (locator.kind == layout::DirectoryEntryKind::names) {
      auto entry = find_named(segment, locator, directory, name);
      if (!entry || *entry) return entry;
      continue;
    }
    RowRun run;
    auto same = run_of(locator, directory, run);
    if (!same) return tl::unexpected(same.error());
    if (!*same) continue;
    const EntryRef entry = find_in_run(run, name);
    if (found(entry, name)) return entry;
  }
}

Result<EntryRef> ResultsFilesystem::Snapshot::find(std::string_view directory, std::string_view name) const {
  const std::uint64_t hash = image::path_hash(directory, header_.seed);
  for (const SegmentReader& segment : segments_) {
    auto entry = find_in_segment(segment, hash, directory, name);
    if (!entry || *entry) return entry;
  }
  return EntryRef{};
}

Result<void> ResultsFilesystem::Snapshot::collect_from(const SegmentReader& segment, std::string_view directory,
                                                       ListingBuilder& listing) const {
  auto cursor = segment.find(image::path_hash(directory, header_.seed));
  layout::Locator locator{};
  for (;;) {
    auto more = cursor.next(locator);
    if (!more) return tl::unexpected(more.error());
    if (!*more) return {};
    if (locator.kind == layout::DirectoryEntryKind::names) continue;
    RowRun run;
    auto same = run_of(locator, directory, run);
    if (!same) return tl::unexpected(same.error());
    if (!*same) continue;
    if (run.count != 0) listing.add_run(run);
    if (locator.record() == 0) continue;
    if (locator.record() > run.batch->record_count()) return file_->damaged(0, "an index entry names a record that is not there");
    listing.add_record(run.batch->record(locator.record() - 1u).record);
  }
}

Result<void> ResultsFilesystem::Snapshot::collect(std::string_view directory, Listing& into) const {
  ListingBuilder listing(into, roots_overlap_);
  for (const SegmentReader& segment : segments_)
    if (auto done = collect_from(segment, directory, listing); !done) return done;
  return {};
}

Result<std::string_view> ResultsFilesystem::Snapshot::resolve(std::string_view path, std::string& storage,
                                                              bool& directory_wanted) const {
  for (const std::string& root : dotted_roots_) {
    if (!lies_below(path, root) || image::goes_up(path.substr(root.size()))) continue;
    if (path.size() == root.size()) return path;
    auto below = image::resolve_path(path.substr(root.size()), storage, directory_wanted);
    if (!below) return below;
    storage = root + (*below == "/" ? "" : std::string(*below));
    return std::string_view(storage);
  }
  return image::resolve_path(path, storage, directory_wanted);
}

bool ResultsFilesystem::Snapshot::is_dotted_root(std::string_view directory, std::string_view name) const {
  return std::any_of(dotted_roots_.begin(), dotted_roots_.end(), [&](const std::string& root) {
    const auto split = image::split_path(root);
    return split.directory == directory && split.name == name;
  });
}

bool ResultsFilesystem::Snapshot::covers(std::string_view path) const {
  return std::any_of(facts_.roots.begin(), facts_.roots.end(),
                     [&](const std::string& root) { return lies_below(path, root); });
}

}  // namespace pwalk
