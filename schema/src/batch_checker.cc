#include "batch_checker.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdint>
#include <utility>

#include "batch_writer.h"
#include "column_scans.h"
#include "pwalk/base/cache_line.h"
#include "pwalk/schema/entry_batch_builder.h"

namespace pwalk::schema {
namespace {

constexpr std::size_t kMaxRows = EntryBatchBuilder::kMaxRows;

/// Tables: the batch, two for directories, one per column; the rest is for batches
/// whose mistakes deserve a message of their own.
constexpr flatbuffers::uoffset_t kMaxTables = 64, kMaxDepth = 8;


std::string quoted(std::string_view name) {
  return "'" + std::string(name) + "'";
}

std::string directory_number(std::size_t row) {
  return "directory " + std::to_string(row);
}

/// First byte that is not allowed, or nullptr.
template <class Allowed>
const std::uint8_t* first_unknown(std::span<const std::uint8_t> bytes, Allowed allowed) {
  const auto found = std::find_if_not(bytes.begin(), bytes.end(), allowed);
  return found == bytes.end() ? nullptr : &*found;
}

/// First element that is less than the one before it. Requires that there is one.
template <class T>
const T* first_fall(std::span<const T> elements) {
  return std::is_sorted_until(elements.data(), elements.data() + elements.size());
}

std::span<const std::uint8_t> stored_bytes(const ColumnView& view, std::uint32_t rows) {
  const std::size_t count = !view ? 0 : view.constant ? 1 : rows;
  return {reinterpret_cast<const std::uint8_t*>(view.values), count};
}

}  // namespace

Result<void> BatchChecker::run() {
  const bool good = check_address() && check_structure() && check_header() && check_columns() &&
                    check_texts() && check_known_values() && check_names() && check_directory_table() &&
                    check_directory_column() && check_empty_names() && check_records();
  if (!good) return tl::unexpected<Error>(std::move(error_));
  view_.content_hash_ = batch_->content_hash();
  return {};
}

bool BatchChecker::refuse(int code, std::string what) {
  error_ = {code, "batch: " + std::move(what)};
  return false;
}

bool BatchChecker::wrong(const std::string& what, const void* place) {
  return refuse(EPROTO, what + " at offset " + std::to_string(offset_of(place)));
}

bool BatchChecker::check_address() {
  const auto address = reinterpret_cast<std::uintptr_t>(view_.bytes_.data());
  if (address % kCacheLine == 0) return true;
  return refuse(EINVAL, "lies " + std::to_string(address % kCacheLine) + " bytes off a 64-byte boundary");
}

bool BatchChecker::check_structure() {
  const std::size_t size = view_.bytes_.size();
  // The tables lie there, each in the way of the next.
  for (std::size_t at = 0; at < std::min<std::size_t>(size, 1024); at += kCacheLine) __builtin_prefetch(view_.bytes_.data() + at);
  if (size == 0 || size % kCacheLine != 0 || size >= FLATBUFFERS_MAX_BUFFER_SIZE)
    return refuse(EPROTO, "length " + std::to_string(size) + " is not a multiple of 64 between 64 and 2^31");
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(view_.bytes_.data());
  if (!wire::EntryBatchBufferHasIdentifier(bytes))
    return wrong("identifier is not " + quoted(wire::EntryBatchIdentifier()),
                 bytes + sizeof(flatbuffers::uoffset_t));
  flatbuffers::Verifier verifier(bytes, size, kMaxDepth, kMaxTables);
  if (!wire::VerifyEntryBatchBuffer(verifier))
    return wrong("FlatBuffers' verifier rejects the structure", bytes);
  batch_ = wire::GetEntryBatch(bytes);
  return true;
}

bool BatchChecker::check_header() {
  if (batch_->version() != kBatchVersion) {
    return wrong("version " + std::to_string(batch_->version()) + ", and only " +
                     std::to_string(kBatchVersion) + " can be read,",
                 batch_);
  }
  if (batch_->rows() > kMaxRows)
    return wrong(std::to_string(batch_->rows()) + " rows, more than " + std::to_string(kMaxRows) + ",",
                 batch_);
  view_.rows_ = batch_->rows();
  return true;
}

template <class T>
bool BatchChecker::take(const flatbuffers::Vector<T>* vector, std::size_t count, std::string_view name,
                        std::span<const T>& into) {
  const auto* data = reinterpret_cast<const T*>(vector->Data());
  if (vector->size() != count) {
    return wrong(quoted(name) + " has " + std::to_string(vector->size()) + " elements, not " +
                     std::to_string(count) + ",",
                 data);
  }
  if (count > 0 && offset_of(data) % kCacheLine != 0)
    return wrong(quoted(name) + " is not 64-byte aligned,", data);
  into = {data, count};
  return true;
}

bool BatchChecker::take_bytes(const flatbuffers::Vector<std::uint8_t>* vector, std::string_view name,
                              std::string_view& into) {
  std::span<const std::uint8_t> bytes;
  if (!take(vector, vector->size(), name, bytes)) return false;
  into = {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  return true;
}

bool BatchChecker::check_columns() {
  for (const wire::ColumnData* column : *batch_->columns()) {
    if (column->id() >= kColumnCount) return wrong("unknown column " + std::to_string(column->id()), column);
    if (view_.columns_.has(Column(column->id())))
      return wrong("second column " + quoted(kColumns[column->id()].name), column);
    if (!check_column(*column)) return false;
  }
  return true;
}

bool BatchChecker::check_column(const wire::ColumnData& column) {
  const ColumnSpec& spec = kColumns[column.id()];
  ColumnView& view = view_.views_[column.id()];
  view.width = std::uint32_t(width_of(spec.element));
  view.constant = column.constant();
  if (view.constant && view_.rows_ == 0)
    return wrong(quoted(spec.name) + " is constant without rows,", &column);
  const std::size_t stored = view.constant ? 1 : view_.rows_;
  std::span<const std::uint8_t> values;
  if (!take(column.values(), stored * view.width, spec.name, values)) return false;
  view.values = reinterpret_cast<const std::byte*>(values.data());
  view_.columns_.insert(spec.id);
  __builtin_prefetch(view.values);
  return check_nulls(column, view, spec.name);
}

bool BatchChecker::check_nulls(const wire::ColumnData& column, ColumnView& view, std::string_view name) {
  view.null_count = column.null_count();
  if (view.null_count > view_.rows_) return wrong(quoted(name) + " has more nulls than rows,", &column);
  if ((column.valid() == nullptr) != (view.null_count == 0))
    return wrong(quoted(name) + " has nulls without a bitmap, or a bitmap without nulls,", &column);
  if (view.null_count == 0) return true;
  std::span<const std::uint8_t> bitmap;
  if (!take(column.valid(), (view_.rows_ + 7) / 8, std::string(name) + " bitmap", bitmap)) return false;
  view.valid = bitmap.data();
  return check_bitmap(bitmap, view.null_count, name) && check_null_values(view, name);
}

bool BatchChecker::check_texts() {
  if (batch_->texts() == nullptr) return true;
  for (const wire::TextData* text : *batch_->texts()) {
    if (text->id() < kFirstText || text->id() >= kFirstText + kTextColumnCount)
      return wrong("unknown text column " + std::to_string(text->id()), text);
    if (view_.columns_.has(Column(text->id())))
      return wrong("second column " + quoted(name_of(Column(text->id()))), text);
    if (!check_text(*text)) return false;
  }
  return true;
}

bool BatchChecker::check_text(const wire::TextData& text) {
  const std::string name(name_of(Column(text.id())));
  TextView view;
  if (!take(text.offsets(), view_.rows_ + 1, name + " offsets", view.offsets) ||
      !take_bytes(text.bytes(), name, view.bytes) || !check_offsets(view.offsets, view.bytes.size(), name + " offsets") ||
      !check_text_bytes(view.bytes, name))
    return false;
  view.null_count = text.null_count();
  if (view.null_count > view_.rows_) return wrong(quoted(name) + " has more nulls than rows,", &text);
  if ((text.valid() == nullptr) != (view.null_count == 0))
    return wrong(quoted(name) + " has nulls without a bitmap, or a bitmap without nulls,", &text);
  if (view.null_count > 0) {
    std::span<const std::uint8_t> bitmap;
    if (!take(text.valid(), (view_.rows_ + 7) / 8, name + " bitmap", bitmap)) return false;
    view.valid = bitmap.data();
    if (!check_bitmap(bitmap, view.null_count, name)) return false;
    for (std::uint32_t row = 0; row < view_.rows_; ++row)
      if (!view.is_valid(row) && !view.at(row).empty())
        return wrong(quoted(name) + " has a value in row " + std::to_string(row) + ", which is null,", &view.offsets[row]);
  }
  view_.texts_[text.id() - kFirstText] = view;
  view_.columns_.insert(Column(text.id()));
  return true;
}

bool BatchChecker::check_bitmap(std::span<const std::uint8_t> bitmap, std::uint32_t nulls,
                                std::string_view name) {
  const std::uint32_t values = view_.rows_ - nulls;
  std::uint32_t known = 0;
  for (const std::uint8_t byte : bitmap) known += std::uint32_t(std::popcount(byte));
  if (known != values) {
    return wrong(quoted(name) + " bitmap has " + std::to_string(known) + " bits for " +
                     std::to_string(values) + " values",
                 bitmap.data());
  }
  if (view_.rows_ % 8 != 0 && bitmap.back() >> view_.rows_ % 8 != 0)
    return wrong(quoted(name) + " bitmap has bits beyond the last row", &bitmap.back());
  return true;
}

bool BatchChecker::check_null_values(const ColumnView& view, std::string_view name) {
  for (std::uint32_t row = 0; row < view_.rows_; ++row) {
    if (!view.is_valid(row) && view.at<std::uint64_t>(row) != 0)
      return wrong(quoted(name) + " has a value in row " + std::to_string(row) + ", which is null,",
                   view.values);
  }
  return true;
}

bool BatchChecker::check_known_values() {
  const ColumnView& type = view_.column(Column::type);
  const auto letters = stored_bytes(type, view_.rows_);
  const LetterScan scan = column_scans().type_letters(letters);
  if (scan.unknown) {
    const auto* found = first_unknown(
        letters, [](std::uint8_t letter) { return letter == 0 || kTypeLetters.find(char(letter)) != kTypeLetters.npos; });
    return wrong("unknown type letter " + std::to_string(*found), found);
  }
  // Every null row holds 0; one zero more is a row that claims to be known.
  const std::size_t zeros = scan.zeros * (type.constant ? view_.rows_ : 1);
  if (zeros > type.null_count) return wrong("unknown type letter 0", letters.data());
  return check_operations(stored_bytes(view_.column(Column::operation), view_.rows_));
}

bool BatchChecker::check_operations(std::span<const std::uint8_t> operations) {
  const auto known = [](std::uint8_t number) { return number < kOperationNames.size(); };
  const auto* found = first_unknown(operations, known);
  return found == nullptr || wrong("unknown operation " + std::to_string(*found), found);
}

bool BatchChecker::check_offsets(std::span<const std::int32_t> offsets, std::size_t bytes,
                                 std::string_view name, bool* repeats) {
  if (offsets.front() != 0) return wrong(quoted(name) + " does not start with 0", &offsets.front());
  const OffsetScan scan = column_scans().offsets(offsets);
  if (scan.descends) return wrong(quoted(name) + " descends", first_fall(offsets));
  if (repeats != nullptr) *repeats = scan.repeats;
  if (std::size_t(offsets.back()) != bytes) {
    return wrong(quoted(name) + " ends with " + std::to_string(offsets.back()) + ", not " +
                     std::to_string(bytes) + ",",
                 &offsets.back());
  }
  return true;
}

bool BatchChecker::check_text_bytes(std::string_view bytes, std::string_view name, char forbidden) {
  if (!column_scans().nul_or(forbidden, bytes)) return true;
  const char either[] = {forbidden, '\0'};
  const auto at = bytes.find_first_of({either, 2});
  return wrong(quoted(name) + " holds " + (bytes[at] == 0 ? "NUL" : "'/'"), bytes.data() + at);
}

bool BatchChecker::check_names() {
  return take(batch_->name_offsets(), view_.rows_ + 1, "name_offsets", view_.name_offsets_) &&
         take_bytes(batch_->name_bytes(), "name_bytes", view_.name_bytes_) &&
         check_offsets(view_.name_offsets_, view_.name_bytes_.size(), "name_offsets", &some_name_is_empty_) &&
         check_text_bytes(view_.name_bytes_, "name_bytes", '/');
}

bool BatchChecker::check_directory_table() {
  const wire::DirectoryTable& table = *batch_->directories();
  const std::size_t rows = table.inode()->size();
  if (rows > kMaxRows)
    return wrong(std::to_string(rows) + " directories, more than " + std::to_string(kMaxRows) + ",", &table);
  const bool fields =
      take(table.inode(), rows, "directories.inode", view_.directory_inode_) &&
      take(table.prefix(), rows, "directories.prefix", view_.prefix_) &&
      take(table.shared(), rows, "directories.shared", view_.shared_) &&
      take(table.suffix_offsets(), rows + 1, "directories.suffix_offsets", view_.suffix_offsets_) &&
      take_bytes(table.suffix_bytes(), "directories.suffix_bytes", view_.suffix_bytes_) &&
      check_offsets(view_.suffix_offsets_, view_.suffix_bytes_.size(), "directories.suffix_offsets") &&
      check_text_bytes(view_.suffix_bytes_, "directories.suffix_bytes");
  for (std::size_t row = 0; fields && row < rows; ++row)
    if (!check_prefix(row) || !check_slashes(row)) return false;
  return fields;
}

/// Rows before this one are known to be good.
bool BatchChecker::check_prefix(std::size_t row) {
  const std::int32_t prefix = view_.prefix_[row];
  const std::size_t shared = view_.shared_[row];
  if (prefix == -1 && shared == 0) return true;
  if (prefix < 0 || std::size_t(prefix) >= row)
    return wrong(directory_number(row) + " has prefix " + std::to_string(prefix), &view_.prefix_[row]);
  if (shared > view_.directory_path_length(std::uint32_t(prefix)))
    return wrong(directory_number(row) + " shares more than its prefix has", &view_.shared_[row]);
  if (shared <= view_.shared_[std::size_t(prefix)])
    return wrong(directory_number(row) + " does not name the owner of its last shared byte",
                 &view_.prefix_[row]);
  return true;
}

/// A path's last byte is in its own suffix or, if that is empty, in its prefix row's.
bool BatchChecker::check_slashes(std::size_t row) {
  const std::string_view suffix = view_.suffix(std::uint32_t(row));
  const std::size_t shared = view_.shared_[row];
  if (shared == 0 && suffix.empty()) return true;  // `/` itself
  if (shared == 0 && suffix.front() != '/')
    return wrong(directory_number(row) + " is not absolute", suffix.data());
  const auto owner = std::size_t(view_.prefix_[row]);
  const char last =
      !suffix.empty() ? suffix.back() : view_.suffix(std::uint32_t(owner))[shared - 1 - view_.shared_[owner]];
  return last != '/' || wrong(directory_number(row) + " ends with '/'", suffix.data());
}

bool BatchChecker::check_directory_column() {
  if (!take(batch_->directory(), view_.rows_, "directory", view_.directory_)) return false;
  if (view_.directory_.empty()) return true;
  if (column_scans().descends(view_.directory_)) return wrong("'directory' descends", first_fall(view_.directory_));
  const std::int16_t &least = view_.directory_.front(), &most = view_.directory_.back();
  if (least >= 0 && std::uint32_t(most) < view_.directory_count()) return true;
  return wrong("'directory' has a number outside the table of " + std::to_string(view_.directory_count()),
               least < 0 ? &least : &most);
}

bool BatchChecker::check_empty_names() {
  for (std::uint32_t row = 0; some_name_is_empty_ && row < view_.rows_; ++row) {
    if (view_.name(row).empty() && view_.directory_path_length(std::uint32_t(view_.directory_[row])) > 0)
      return wrong("row " + std::to_string(row) + " has no name", &view_.name_offsets_[row]);
  }
  return true;
}

bool BatchChecker::check_records() {
  const wire::DirectoryRecordTable& table = *batch_->records();
  const std::size_t count = table.directory()->size();
  const bool fields = take(table.directory(), count, "records.directory", view_.record_directory_) &&
                      take(table.entries(), count, "records.entries", view_.record_entries_) &&
                      take(table.bytes(), count, "records.bytes", view_.record_bytes_) &&
                      take(table.flags(), count, "records.flags", view_.record_flags_) &&
                      take(table.error(), count, "records.error", view_.record_error_) &&
                      take(table.operation(), count, "records.operation", view_.record_operation_) &&
                      check_operations(view_.record_operation_);
  if (!fields) return false;
  std::int32_t previous = -1;
  for (const std::int16_t& row : view_.record_directory_) {
    if (row <= previous) return wrong("'records.directory' does not ascend", &row);
    previous = row;
  }
  if (previous >= std::int32_t(view_.directory_count())) {
    return wrong(
        "'records.directory' has a number outside the table of " + std::to_string(view_.directory_count()),
        &view_.record_directory_.back());
  }
  view_.record_count_ = std::uint32_t(count);
  return true;
}

}  // namespace pwalk::schema
