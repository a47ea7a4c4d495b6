#include "batch_checker.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "batch_writer.h"
#include "pwalk/base/cache_line.h"
#include "pwalk/schema/entry_batch_builder.h"

namespace pwalk::schema {
namespace {

constexpr std::size_t kMaxRows = EntryBatchBuilder::kMaxRows;
constexpr std::string_view kTypeLetters = "fdlbcps?";

/// Tables: the batch, two for directories, one per column; a few to spare for messages of our own.
constexpr flatbuffers::uoffset_t kMaxTables = 64, kMaxDepth = 8;

bool is_type(std::uint8_t letter) {
  static constexpr auto kKnown = [] {
    std::array<bool, 256> known{};
    for (char c : kTypeLetters) known[std::uint8_t(c)] = true;
    return known;
  }();
  return kKnown[letter];
}

bool is_operation(std::uint8_t number) {
  return number < kOperationNames.size();
}

std::string quoted(std::string_view name) {
  return "'" + std::string(name) + "'";
}

std::string length_mismatch(std::string_view name, std::size_t has, std::size_t wanted) {
  return quoted(name) + " has " + std::to_string(has) + " elements, not " + std::to_string(wanted) + ",";
}

/// First byte that is not allowed, or nullptr.
template <class Allowed>
const std::uint8_t* first_unknown(std::span<const std::uint8_t> bytes, Allowed allowed) {
  const auto found = std::find_if_not(bytes.begin(), bytes.end(), allowed);
  return found == bytes.end() ? nullptr : &*found;
}

}  // namespace

tl::unexpected<Error> BatchChecker::wrong(const std::string& what, const void* place) const {
  return fail(EPROTO, "batch: " + what + " at offset " + std::to_string(offset_of(place)));
}

Result<EntryBatchView> BatchChecker::run() {
  using Step = Result<void> (BatchChecker::*)();
  for (Step step :
       {&BatchChecker::check_address, &BatchChecker::check_structure, &BatchChecker::check_header,
        &BatchChecker::check_columns, &BatchChecker::check_known_values, &BatchChecker::check_names,
        &BatchChecker::check_directory_table, &BatchChecker::check_directory_column,
        &BatchChecker::check_empty_names, &BatchChecker::check_records}) {
    if (Result<void> ok = (this->*step)(); !ok) return tl::unexpected<Error>(std::move(ok).error());
  }
  view_.content_hash_ = batch_->content_hash();
  return view_;
}

Result<void> BatchChecker::check_address() {
  const auto address = reinterpret_cast<std::uintptr_t>(view_.bytes_.data());
  if (address % kCacheLine == 0) return {};
  return fail(EINVAL,
              "batch: lies " + std::to_string(address % kCacheLine) + " bytes off a 64-byte boundary");
}

Result<void> BatchChecker::check_structure() {
  const std::size_t size = view_.bytes_.size();
  if (size == 0 || size % kCacheLine != 0 || size >= FLATBUFFERS_MAX_BUFFER_SIZE)
    return fail(EPROTO,
                "batch: length " + std::to_string(size) + " is not a multiple of 64 between 64 and 2^31");
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(view_.bytes_.data());
  flatbuffers::Verifier verifier(bytes, size, kMaxDepth, kMaxTables);
  if (!wire::EntryBatchBufferHasIdentifier(bytes))
    return wrong("identifier is not " + quoted(wire::EntryBatchIdentifier()),
                 bytes + sizeof(flatbuffers::uoffset_t));
  if (!wire::VerifyEntryBatchBuffer(verifier))
    return wrong("FlatBuffers' verifier rejects the structure", bytes);
  batch_ = wire::GetEntryBatch(bytes);
  return {};
}

Result<void> BatchChecker::check_header() {
  if (batch_->version() != kBatchVersion) {
    return wrong("version " + std::to_string(batch_->version()) + ", and only " +
                     std::to_string(kBatchVersion) + " can be read,",
                 batch_);
  }
  if (batch_->rows() > kMaxRows) {
    return wrong(std::to_string(batch_->rows()) + " rows, more than " + std::to_string(kMaxRows) + ",",
                 batch_);
  }
  view_.rows_ = batch_->rows();
  return {};
}

template <class T>
Result<std::span<const T>> BatchChecker::elements(const flatbuffers::Vector<T>* vector, std::size_t count,
                                                  std::string_view name) const {
  const auto* data = reinterpret_cast<const T*>(vector->Data());
  if (vector->size() != count) return wrong(length_mismatch(name, vector->size(), count), data);
  if (count > 0 && offset_of(data) % kCacheLine != 0)
    return wrong(quoted(name) + " is not 64-byte aligned,", data);
  return std::span<const T>(data, count);
}

Result<void> BatchChecker::check_columns() {
  for (const wire::ColumnData* column : *batch_->columns()) {
    if (column->id() >= kColumnCount) return wrong("unknown column " + std::to_string(column->id()), column);
    if (view_.columns_.has(Column(column->id())))
      return wrong("second column " + quoted(kColumns[column->id()].name), column);
    if (Result<void> ok = check_column(*column); !ok) return ok;
  }
  return {};
}

Result<void> BatchChecker::check_column(const wire::ColumnData& column) {
  const ColumnSpec& spec = kColumns[column.id()];
  const std::string name(spec.name);
  ColumnView& view = view_.views_[column.id()];
  view.width = std::uint32_t(width_of(spec.element));
  view.constant = column.constant();
  if (view.constant && view_.rows_ == 0) return wrong(quoted(name) + " is constant without rows,", &column);
  const std::size_t stored = view.constant ? 1 : view_.rows_;
  const auto values = elements(column.values(), stored * view.width, name);
  if (!values) return tl::unexpected<Error>(values.error());
  view.values = reinterpret_cast<const std::byte*>(values->data());
  view_.columns_.insert(spec.id);
  return check_validity(column, view, name);
}

Result<void> BatchChecker::check_validity(const wire::ColumnData& column, ColumnView& view,
                                          const std::string& name) {
  view.null_count = column.null_count();
  if (view.null_count > view_.rows_) return wrong(quoted(name) + " has more nulls than rows,", &column);
  if ((column.valid() == nullptr) != (view.null_count == 0))
    return wrong(quoted(name) + " has nulls without a bitmap, or a bitmap without nulls,", &column);
  if (view.null_count == 0) return {};
  const auto bitmap = elements(column.valid(), (view_.rows_ + 7) / 8, name + " bitmap");
  if (!bitmap) return tl::unexpected<Error>(bitmap.error());
  view.valid = bitmap->data();
  std::uint32_t known = 0;
  for (std::uint8_t byte : *bitmap) known += std::uint32_t(std::popcount(byte));
  if (known != view_.rows_ - view.null_count)
    return wrong(quoted(name) + " bitmap has " + std::to_string(known) + " bits for " +
                     std::to_string(view_.rows_ - view.null_count) + " values",
                 view.valid);
  if (view_.rows_ % 8 != 0 && bitmap->back() >> view_.rows_ % 8 != 0)
    return wrong(quoted(name) + " bitmap has bits beyond the last row", &bitmap->back());
  return check_null_values(view, name);
}

Result<void> BatchChecker::check_null_values(const ColumnView& view, const std::string& name) const {
  for (std::uint32_t row = 0; row < view_.rows_; ++row) {
    if (!view.is_valid(row) && view.at<std::uint64_t>(row) != 0)
      return wrong(quoted(name) + " has a value in row " + std::to_string(row) + ", which is null,",
                   view.values);
  }
  return {};
}

Result<void> BatchChecker::check_known_values() {
  const auto stored = [&](const ColumnView& view) {
    const std::size_t count = !view ? 0 : view.constant ? 1 : view_.rows_;
    return std::span(reinterpret_cast<const std::uint8_t*>(view.values), count);
  };
  const ColumnView& type = view_.column(Column::type);
  const auto letters = stored(type);
  if (const auto* found =
          first_unknown(letters, [](std::uint8_t letter) { return letter == 0 || is_type(letter); }))
    return wrong("unknown type letter " + std::to_string(*found), found);
  // Every null row holds 0; one zero more is a row that claims to be known.
  const auto zeros =
      std::size_t(std::count(letters.begin(), letters.end(), 0)) * (type.constant ? view_.rows_ : 1);
  if (zeros > type.null_count) return wrong("unknown type letter 0", letters.data());
  if (const auto* found = first_unknown(stored(view_.column(Column::operation)), is_operation))
    return wrong("unknown operation " + std::to_string(*found), found);
  return {};
}

Result<void> BatchChecker::check_offsets(std::span<const std::int32_t> offsets, std::size_t bytes,
                                         std::string_view name) const {
  if (offsets.front() != 0) return wrong(quoted(name) + " does not start with 0", &offsets.front());
  bool ascending = true;  // without a branch in the loop: it runs over every row of every batch
  for (std::size_t i = 1; i < offsets.size(); ++i) ascending &= offsets[i - 1] <= offsets[i];
  if (!ascending) {
    const auto* fall = std::is_sorted_until(offsets.data(), offsets.data() + offsets.size());
    return wrong(quoted(name) + " descends", fall);
  }
  if (std::size_t(offsets.back()) != bytes) {
    return wrong(quoted(name) + " ends with " + std::to_string(offsets.back()) + ", not " +
                     std::to_string(bytes) + ",",
                 &offsets.back());
  }
  return {};
}

Result<void> BatchChecker::check_absent(char byte, std::string_view bytes, std::string_view name) const {
  const auto at = bytes.find(byte);
  if (at == std::string_view::npos) return {};
  return wrong(quoted(name) + " holds " + (byte == 0 ? "NUL" : "'/'"), bytes.data() + at);
}

Result<void> BatchChecker::check_names() {
  const auto offsets = elements(batch_->name_offsets(), view_.rows_ + 1, "name_offsets");
  if (!offsets) return tl::unexpected<Error>(offsets.error());
  const auto names = elements(batch_->name_bytes(), batch_->name_bytes()->size(), "name_bytes");
  if (!names) return tl::unexpected<Error>(names.error());
  view_.name_offsets_ = *offsets;
  view_.name_bytes_ = {reinterpret_cast<const char*>(names->data()), names->size()};
  if (Result<void> ok = check_offsets(*offsets, names->size(), "name_offsets"); !ok) return ok;
  if (Result<void> ok = check_absent('/', view_.name_bytes_, "name_bytes"); !ok) return ok;
  return check_absent('\0', view_.name_bytes_, "name_bytes");
}

Result<void> BatchChecker::check_directory_table() {
  const wire::DirectoryTable& table = *batch_->directories();
  const std::size_t rows = table.inode()->size();
  if (rows > kMaxRows)
    return wrong(std::to_string(rows) + " directories, more than " + std::to_string(kMaxRows) + ",", &table);
  const auto inode = elements(table.inode(), rows, "directories.inode");
  if (!inode) return tl::unexpected<Error>(inode.error());
  const auto prefix = elements(table.prefix(), rows, "directories.prefix");
  if (!prefix) return tl::unexpected<Error>(prefix.error());
  const auto shared = elements(table.shared(), rows, "directories.shared");
  if (!shared) return tl::unexpected<Error>(shared.error());
  const auto offsets = elements(table.suffix_offsets(), rows + 1, "directories.suffix_offsets");
  if (!offsets) return tl::unexpected<Error>(offsets.error());
  const auto suffixes =
      elements(table.suffix_bytes(), table.suffix_bytes()->size(), "directories.suffix_bytes");
  if (!suffixes) return tl::unexpected<Error>(suffixes.error());
  view_.directory_inode_ = *inode;
  view_.prefix_ = *prefix;
  view_.shared_ = *shared;
  view_.suffix_offsets_ = *offsets;
  view_.suffix_bytes_ = {reinterpret_cast<const char*>(suffixes->data()), suffixes->size()};
  if (Result<void> ok = check_offsets(*offsets, suffixes->size(), "directories.suffix_offsets"); !ok)
    return ok;
  if (Result<void> ok = check_absent('\0', view_.suffix_bytes_, "directories.suffix_bytes"); !ok) return ok;
  for (std::size_t row = 0; row < rows; ++row) {
    if (Result<void> ok = check_prefix(row); !ok) return ok;
    if (Result<void> ok = check_slashes(row); !ok) return ok;
  }
  return {};
}

/// Rows before this one are known to be good.
Result<void> BatchChecker::check_prefix(std::size_t row) const {
  const std::int32_t prefix = view_.prefix_[row];
  const std::size_t shared = view_.shared_[row];
  if (prefix == -1 && shared == 0) return {};
  const std::string where = "directory " + std::to_string(row);
  if (prefix < 0 || std::size_t(prefix) >= row)
    return wrong(where + " has prefix " + std::to_string(prefix), &view_.prefix_[row]);
  if (shared > view_.directory_path_length(std::uint32_t(prefix)))
    return wrong(where + " shares more than its prefix has", &view_.shared_[row]);
  if (shared <= view_.shared_[std::size_t(prefix)])
    return wrong(where + " does not name the owner of its last shared byte", &view_.prefix_[row]);
  return {};
}

/// A path's last byte is in its own suffix or, if that is empty, in its prefix row's.
Result<void> BatchChecker::check_slashes(std::size_t row) const {
  const std::string_view suffix = view_.suffix(std::uint32_t(row));
  const std::size_t shared = view_.shared_[row];
  if (shared == 0 && suffix.empty()) return {};
  if (shared == 0 && suffix.front() != '/')
    return wrong("directory " + std::to_string(row) + " is not absolute", suffix.data());
  const auto owner = std::size_t(view_.prefix_[row]);
  const char last =
      !suffix.empty() ? suffix.back() : view_.suffix(std::uint32_t(owner))[shared - 1 - view_.shared_[owner]];
  if (last == '/') return wrong("directory " + std::to_string(row) + " ends with '/'", suffix.data());
  return {};
}

Result<void> BatchChecker::check_directory_column() {
  const auto directory = elements(batch_->directory(), view_.rows_, "directory");
  if (!directory) return tl::unexpected<Error>(directory.error());
  view_.directory_ = *directory;
  if (directory->empty()) return {};
  bool ascending = true;
  for (std::size_t i = 1; i < directory->size(); ++i) ascending &= (*directory)[i - 1] <= (*directory)[i];
  if (!ascending) {
    const auto* fall = std::is_sorted_until(directory->data(), directory->data() + directory->size());
    return wrong("'directory' descends", fall);
  }
  if (directory->front() < 0 || std::uint32_t(directory->back()) >= view_.directory_count())
    return wrong("'directory' has a number outside the table of " + std::to_string(view_.directory_count()),
                 directory->front() < 0 ? &directory->front() : &directory->back());
  return {};
}

Result<void> BatchChecker::check_empty_names() {
  bool any = false;
  for (std::size_t row = 0; row < view_.rows_; ++row)
    any |= view_.name_offsets_[row] == view_.name_offsets_[row + 1];
  for (std::uint32_t row = 0; any && row < view_.rows_; ++row) {
    if (view_.name(row).empty() && view_.directory_path_length(std::uint32_t(view_.directory_[row])) > 0)
      return wrong("row " + std::to_string(row) + " has no name", &view_.name_offsets_[row]);
  }
  return {};
}

Result<void> BatchChecker::check_records() {
  const wire::DirectoryRecordTable& table = *batch_->records();
  const std::size_t count = table.directory()->size();
  const auto directory = elements(table.directory(), count, "records.directory");
  if (!directory) return tl::unexpected<Error>(directory.error());
  const auto entries = elements(table.entries(), count, "records.entries");
  if (!entries) return tl::unexpected<Error>(entries.error());
  const auto bytes = elements(table.bytes(), count, "records.bytes");
  if (!bytes) return tl::unexpected<Error>(bytes.error());
  const auto flags = elements(table.flags(), count, "records.flags");
  if (!flags) return tl::unexpected<Error>(flags.error());
  const auto error = elements(table.error(), count, "records.error");
  if (!error) return tl::unexpected<Error>(error.error());
  const auto operation = elements(table.operation(), count, "records.operation");
  if (!operation) return tl::unexpected<Error>(operation.error());
  std::int32_t previous = -1;
  for (const std::int16_t& row : *directory) {
    if (row <= previous) return wrong("'records.directory' does not ascend", &row);
    if (std::uint32_t(row) >= view_.directory_count())
      return wrong(
          "'records.directory' has a number outside the table of " + std::to_string(view_.directory_count()),
          &row);
    previous = row;
  }
  if (const auto* found = first_unknown(*operation, is_operation))
    return wrong("unknown operation " + std::to_string(*found), found);
  view_.record_count_ = std::uint32_t(count);
  view_.record_directory_ = *directory;
  view_.record_entries_ = *entries;
  view_.record_bytes_ = *bytes;
  view_.record_flags_ = *flags;
  view_.record_error_ = *error;
  view_.record_operation_ = *operation;
  return {};
}

}  // namespace pwalk::schema
