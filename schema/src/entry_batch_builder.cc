#include "pwalk/schema/entry_batch_builder.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <string>
#include <vector>

#include "batch_writer.h"
#include "directory_coder.h"
#include "record_columns.h"
#include "row_columns.h"
#include "row_hasher.h"
#include "text_rows.h"

namespace pwalk::schema {
namespace {

/// A FlatBuffer's offsets are 32 bits with sign; leave room for one row beyond the limit.
constexpr std::size_t kMaxLimitBytes = std::size_t{1} << 30;

/// The serialiser's buffer starts as large as the limit, unless the limit says "no limit".
constexpr std::size_t kMaxFirstBuffer = std::size_t{1} << 20;

BatchLimits within_reach(BatchLimits limits) {
  return {std::clamp<std::uint32_t>(limits.rows, 1, EntryBatchBuilder::kMaxRows),
          std::min(limits.bytes, kMaxLimitBytes)};
}

std::size_t width_of(ColumnSet columns) {
  std::size_t width = 0;
  for (const ColumnSpec& spec : kColumns)
    if (columns.has(spec.id)) width += width_of(spec.element);
  return width;
}

/// Bytes of an entry's texts, of those columns only.
std::size_t text_bytes(const Entry& entry, ColumnSet texts) {
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < kTextColumnCount; ++i)
    if (texts.has(kTextColumns[i].id)) bytes += (entry.*kEntryTexts[i]).size();
  return bytes;
}

Entry with_zeros(const Entry& entry, ColumnSet missing) {
  Entry zeroed = entry;
  for_each_field([&](auto column, auto member) {
    if (missing.has(kColumns[column].id)) zeroed.*member = FieldType<column>{};
  });
  return zeroed;
}

}  // namespace

/// The batch in the making. Its serialised size is never computed but bounded
/// from above, in a few additions per row: every vector counts with its worst padding.
class EntryBatchBuilder::State {
 public:
  State(ColumnSet columns, BatchLimits asked)
      : limits_(within_reach(asked)),
        fixed_bytes_(BatchWriter::overhead(columns.size())),
        texts_(columns & ColumnSet::texts()),
        text_count_(texts_.size()),
        columns_(columns, limits_.rows),
        writer_(std::min(limits_.bytes, kMaxFirstBuffer)) {
    directory_.reserve(limits_.rows);
    name_offsets_.reserve(limits_.rows + 1);
    name_offsets_.push_back(0);
    row_width_ = bare_row_bytes();
  }

  std::uint32_t rows() const { return std::uint32_t(directory_.size()); }
  bool empty() const { return directory_.empty() && records_.size() == 0; }
  bool full() const { return !empty() && !fits_row(0, {}, {}); }

  void begin_directory(std::string_view path, std::uint64_t inode) {
    directories_.begin(path, inode);
    current_ = Directory::begun;
  }
  bool append(const Entry& entry) {
    const ColumnSet missing = columns_.columns() - entry.known;
    return missing.empty() ? place(entry, missing) : place(with_zeros(entry, missing), missing);
  }
  bool end_directory(const DirectoryRecord& record);
  FinishedBatch finish();

 private:
  enum class Directory { none, begun, has_row };  ///< what the current directory has so far

  bool place(const Entry& entry, ColumnSet missing);
  bool fits_row(std::size_t name_bytes, ColumnSet made_varying, ColumnSet missing) const;
  bool fits_directory() const;
  /// What one row takes besides its columns, its name and its texts.
  std::size_t bare_row_bytes() const {
    return sizeof(std::int16_t) + sizeof(std::int32_t) * (1 + text_count_);
  }
  void append_texts(const Entry& entry);
  std::size_t bytes_with(std::size_t rows, std::size_t row_width, std::size_t nullable) const;
  void commit_directory();
  void clear();

  BatchLimits limits_;
  std::size_t fixed_bytes_;
  ColumnSet texts_;         ///< the text columns
  std::size_t text_count_;  ///< of them; counting bits takes a call on the plainest x86-64
  RowColumns columns_;
  std::array<TextRows, kTextColumnCount> text_rows_;
  std::size_t text_bytes_ = 0;  ///< of all of them
  std::vector<std::int16_t> directory_;
  std::vector<std::int32_t> name_offsets_;
  std::string name_bytes_;
  DirectoryCoder directories_;
  RecordColumns records_;
  BatchWriter writer_;
  Directory current_ = Directory::none;
  std::int16_t current_row_ = 0;
  std::size_t row_width_ = 0;          ///< bytes per row, constant columns left out
  std::size_t nullable_ = 0;           ///< columns with nulls
};

/// Upper bound of the serialised size, with one record to spare for the current directory.
std::size_t EntryBatchBuilder::State::bytes_with(std::size_t rows, std::size_t row_width,
                                                 std::size_t nullable) const {
  const std::size_t bitmaps = nullable * ((rows + 7) / 8 + BatchWriter::kVectorOverhead);
  const std::size_t pending = current_ == Directory::begun ? directories_.pending_bytes() : 0;
  const std::size_t text_bitmaps = text_count_ * ((rows + 7) / 8 + BatchWriter::kVectorOverhead);
  return fixed_bytes_ + rows * row_width + bitmaps + text_bitmaps + name_bytes_.size() + text_bytes_ + directories_.bytes() + pending +
         (records_.size() + 1) * RecordColumns::kRowBytes;
}

/// A column that stops being constant counts with all its rows from then on.
bool EntryBatchBuilder::State::fits_row(std::size_t name_bytes, ColumnSet made_varying,
                                        ColumnSet missing) const {
  if (rows() >= limits_.rows) return false;
  if (current_ == Directory::begun && directories_.rows() >= kMaxRows) return false;
  const std::size_t row_width = made_varying.empty() ? row_width_ : row_width_ + width_of(made_varying);
  const std::size_t nullable = missing.empty() ? nullable_ : (columns_.with_nulls() | missing).size();
  return bytes_with(rows() + 1, row_width, nullable) + name_bytes <= limits_.bytes;
}

bool EntryBatchBuilder::State::fits_directory() const {
  return directories_.rows() < kMaxRows && bytes_with(rows(), row_width_, nullable_) <= limits_.bytes;
}

void EntryBatchBuilder::State::commit_directory() {
  if (current_ == Directory::has_row) return;
  current_row_ = directories_.commit();
  current_ = Directory::has_row;
}

bool EntryBatchBuilder::State::place(const Entry& entry, ColumnSet missing) {
  assert(current_ != Directory::none);
  const ColumnSet made_varying = directory_.empty() ? ColumnSet{} : columns_.made_varying_by(entry);
  const std::size_t texts = texts_.empty() ? 0 : text_bytes(entry, texts_ & entry.known);
  if (!empty() && !fits_row(entry.name.size() + texts, made_varying, missing)) return false;
  commit_directory();
  columns_.store(rows(), entry, missing, made_varying);
  if (!made_varying.empty()) row_width_ += width_of(made_varying);
  if (!missing.empty()) nullable_ = columns_.with_nulls().size();
  directory_.push_back(current_row_);
  name_bytes_.append(entry.name);
  name_offsets_.push_back(std::int32_t(name_bytes_.size()));
  if (!texts_.empty()) append_texts(entry);
  return true;
}

void EntryBatchBuilder::State::append_texts(const Entry& entry) {
  for (std::size_t i = 0; i < kTextColumnCount; ++i) {
    const Column id = kTextColumns[i].id;
    if (!texts_.has(id)) continue;
    text_rows_[i].append(entry.*kEntryTexts[i], entry.known.has(id));
  }
  text_bytes_ += text_bytes(entry, texts_ & entry.known);
}

bool EntryBatchBuilder::State::end_directory(const DirectoryRecord& record) {
  assert(current_ != Directory::none);
  if (current_ == Directory::begun && !empty() && !fits_directory()) return false;
  commit_directory();
  records_.push_back(current_row_, record);
  current_ = Directory::none;
  return true;
}

FinishedBatch EntryBatchBuilder::State::finish() {
  assert(!empty());
  const auto views = columns_.views(rows());
  std::array<TextView, kTextColumnCount> texts;
  for (std::size_t i = 0; i < kTextColumnCount; ++i)
    if (texts_.has(kTextColumns[i].id)) texts[i] = text_rows_[i].view(rows());
  const BatchContent content{rows(), views, texts, name_offsets_, name_bytes_, directory_};
  FinishedBatch batch;
  batch.rows = rows();
  batch.records = records_.size();
  batch.file_bytes = sum_file_sizes(content);
  batch.content_hash = hash_content(content, directories_.path_hashes());
  batch.bytes = writer_.write(content, directories_, records_, batch.content_hash);
  clear();
  return batch;
}

void EntryBatchBuilder::State::clear() {
  columns_.clear();
  directory_.clear();
  name_offsets_.resize(1);
  name_bytes_.clear();
  directories_.clear();
  records_.clear();
  current_ = Directory::none;
  for (TextRows& rows : text_rows_) rows.clear();
  text_bytes_ = 0;
  row_width_ = bare_row_bytes();
  nullable_ = 0;
}

EntryBatchBuilder::EntryBatchBuilder(ColumnSet columns, BatchLimits limits)
    : state_(std::make_unique<State>(columns, limits)) {}
EntryBatchBuilder::~EntryBatchBuilder() = default;
EntryBatchBuilder::EntryBatchBuilder(EntryBatchBuilder&&) noexcept = default;

void EntryBatchBuilder::begin_directory(std::string_view path, std::uint64_t inode) {
  state_->begin_directory(path, inode);
}
bool EntryBatchBuilder::append(const Entry& entry) {
  return state_->append(entry);
}
bool EntryBatchBuilder::end_directory(const DirectoryRecord& record) {
  return state_->end_directory(record);
}
bool EntryBatchBuilder::empty() const {
  return state_->empty();
}
bool EntryBatchBuilder::full() const {
  return state_->full();
}
std::uint32_t EntryBatchBuilder::rows() const {
  return state_->rows();
}
FinishedBatch EntryBatchBuilder::finish() {
  return state_->finish();
}

}  // namespace pwalk::schema
