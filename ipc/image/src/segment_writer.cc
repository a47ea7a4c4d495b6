#include "segment_writer.h"

namespace pwalk::image {

Result<SegmentWriter> SegmentWriter::begin(AppendFile& file, std::uint64_t name_entries) {
  SegmentWriter made(file);
  const std::uint64_t pages = (name_entries + layout::NamePage::kCapacity - 1) / layout::NamePage::kCapacity;
  auto space = file.reserve(pages * layout::kPageBytes, layout::kPageBytes);
  if (!space) return tl::unexpected(space.error());
  made.names_.place_at(*space);
  return made;
}

Result<layout::SegmentRow> SegmentWriter::finish() {
  if (auto done = names_.finish(); !done) return tl::unexpected(done.error());
  if (auto done = directories_.finish(); !done) return tl::unexpected(done.error());
  const auto fences = std::as_bytes(std::span(directories_.first_hashes()));
  auto offset = file_->append(fences, layout::kObjectAlignment);
  if (!offset) return tl::unexpected(offset.error());

  layout::SegmentRow row{};
  row.names_offset = names_.offset();
  row.name_entries = names_.entries();
  row.directories_offset = directories_.offset();
  row.directory_entries = directories_.entries();
  row.fences_offset = *offset;
  row.fences_checksum = checksum(fences, *offset);
  return row;
}

}  // namespace pwalk::image
