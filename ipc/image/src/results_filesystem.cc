#include "pwalk/image/results_filesystem.h"

#include "path_text.h"
#include "snapshot.h"

namespace pwalk {
namespace {

/// Keeps the memory of paths that had to be rewritten.
struct PathArgument {
  std::string storage;
  std::string_view resolved;
  bool directory_wanted = false;
};

template <class Snapshot>
Result<void> take(const Snapshot& snapshot, std::string_view given, PathArgument& into) {
  auto resolved = snapshot.resolve(given, into.storage, into.directory_wanted);
  if (!resolved) return tl::unexpected(resolved.error());
  into.resolved = *resolved;
  return {};
}

}  // namespace

ResultsFilesystem::ResultsFilesystem(std::shared_ptr<const Snapshot> snapshot) : snapshot_(std::move(snapshot)) {}

Result<ResultsFilesystem> ResultsFilesystem::open(const std::string& file, ImageAccess access) {
  auto opened = image::ImageFile::open(file, access);
  if (!opened) return tl::unexpected(opened.error());
  auto snapshot = Snapshot::load(*std::move(opened));
  if (!snapshot) return tl::unexpected(snapshot.error());
  return ResultsFilesystem(*std::move(snapshot));
}

Result<ResultsFilesystem> ResultsFilesystem::refreshed() const {
  auto snapshot = Snapshot::load(snapshot_->file().sibling());
  if (!snapshot) return tl::unexpected(snapshot.error());
  return ResultsFilesystem(*std::move(snapshot));
}

const image::ScanFacts& ResultsFilesystem::facts() const { return snapshot_->facts(); }
const image::ImageTotals& ResultsFilesystem::totals() const { return snapshot_->totals(); }
image::ImageState ResultsFilesystem::state() const { return snapshot_->state(); }
std::int64_t ResultsFilesystem::finished_ns() const { return snapshot_->finished_ns(); }
const std::vector<image::LanePosition>& ResultsFilesystem::lanes() const { return snapshot_->lanes(); }
const std::string& ResultsFilesystem::file() const { return snapshot_->file().path(); }
std::uint64_t ResultsFilesystem::bytes() const { return snapshot_->file().bytes(); }

bool ResultsFilesystem::abandoned() const {
  return state() == image::ImageState::growing && !snapshot_->file().being_written();
}

/// The errno for a path of which there is no row: the nearest ancestor decides.
tl::unexpected<Error> ResultsFilesystem::missing(std::string_view path) const {
  int code = ENOENT;
  for (auto split = image::split_path(path); !split.directory.empty(); split = image::split_path(split.directory)) {
    const auto above = image::split_path(split.directory);
    const auto entry = snapshot_->find(above.directory, above.name);
    if (!entry) return tl::unexpected(entry.error());
    if (!*entry) continue;
    if (!entry->is_directory()) code = ENOTDIR;
    break;
  }
  return fail(code, "'" + std::string(path) + "' in image '" + file() + "'");
}

Result<EntryRef> ResultsFilesystem::stat(std::string_view path) const {
  PathArgument argument;
  if (auto fine = take(*snapshot_, path, argument); !fine) return tl::unexpected(fine.error());
  const auto [directory, name] = image::split_path(argument.resolved);
  auto entry = snapshot_->find(directory, name);
  if (!entry) return entry;
  if (!*entry) return missing(argument.resolved);
  if (argument.directory_wanted && !entry->is_directory())
    return fail(ENOTDIR, "'" + std::string(path) + "' in image '" + file() + "'");
  return entry;
}

std::string ResultsFilesystem::resolved(std::string_view path) const {
  PathArgument argument;
  if (auto fine = take(*snapshot_, path, argument); !fine) return std::string(path);
  return std::string(argument.resolved);
}

Result<EntryRef> ResultsFilesystem::entry_in(std::string_view directory, std::string_view name) const {
  if (snapshot_->is_dotted_root(directory, name)) return snapshot_->find(directory, name);
  PathArgument argument;
  if (auto fine = take(*snapshot_, directory, argument); !fine) return tl::unexpected(fine.error());
  return snapshot_->find(image::as_directory(argument.resolved), name);
}

Result<void> ResultsFilesystem::list(std::string_view path, Listing& into) const {
  PathArgument argument;
  if (auto fine = take(*snapshot_, path, argument); !fine) return fine;
  const std::string_view directory = argument.resolved;
  if (!snapshot_->covers(directory)) return missing(directory);
  if (auto done = snapshot_->collect(image::as_directory(directory), into); !done) return done;
  if (!into.empty() || into.record()) return {};
  // Nothing below it: it was not entered, or it is no directory, or there is no such thing.
  auto entry = stat(directory);
  if (!entry) return tl::unexpected(entry.error());
  if (!entry->is_directory()) return fail(ENOTDIR, "'" + std::string(path) + "' in image '" + file() + "'");
  return {};
}

Result<Listing> ResultsFilesystem::list(std::string_view path) const {
  Listing listing;
  if (auto done = list(path, listing); !done) return tl::unexpected(done.error());
  return listing;
}

Result<ImageBatch> ResultsFilesystem::batch(std::uint64_t number) const { return snapshot_->batch(number); }

Result<HeldImageBatch> ResultsFilesystem::hold(std::uint64_t number) const {
  auto held = snapshot_->hold(number);
  // In the mapping it is the snapshot that must stay.
  if (held && !held->bytes) held->bytes = std::shared_ptr<const std::byte>(snapshot_, held->view.bytes().data());
  return held;
}

ImageBatch ResultsFilesystem::placed(std::uint64_t number) const { return snapshot_->placed(number); }

bool ResultsFilesystem::is_mapped_at(const void* address) const {
  const image::ImageFile& file = snapshot_->file();
  const auto* at = static_cast<const std::byte*>(address);
  return !file.copied() && at >= file.at(0) && at < file.at(0) + file.bytes();
}

schema::Entry EntryRef::load() const {
  using schema::Column;
  schema::Entry entry;
  entry.name = name();
  for (const schema::ColumnSpec& spec : schema::kColumns)
    if (has(spec.id)) entry.known.insert(spec.id);
  for (const schema::TextColumnSpec& spec : schema::kTextColumns)
    if (has(spec.id)) entry.known.insert(spec.id);
  entry.target = text(Column::target);
  entry.pool = text(Column::pool);
  entry.project = get<std::uint32_t>(Column::project);
  entry.stripe_count = get<std::uint32_t>(Column::stripe_count);
  entry.stripe_size = get<std::uint64_t>(Column::stripe_size);
  entry.mdt = get<std::uint32_t>(Column::mdt);
  entry.type = type();
  entry.flags = get<decltype(entry.flags)>(Column::flags);
  entry.operation = get<schema::Operation>(Column::operation);
  entry.error = get<std::uint32_t>(Column::error);
  entry.mode = get<std::uint32_t>(Column::mode);
  entry.nlink = get<std::uint32_t>(Column::nlink);
  entry.uid = get<std::uint32_t>(Column::uid);
  entry.gid = get<std::uint32_t>(Column::gid);
  entry.rdev = get<std::uint32_t>(Column::rdev);
  entry.depth = get<std::uint32_t>(Column::depth);
  entry.inode = get<std::uint64_t>(Column::inode);
  entry.device = get<std::uint64_t>(Column::device);
  entry.size = get<std::uint64_t>(Column::size);
  entry.blocks = get<std::uint64_t>(Column::blocks);
  entry.mount_id = get<std::uint64_t>(Column::mount_id);
  entry.atime = get<std::int64_t>(Column::atime);
  entry.mtime = get<std::int64_t>(Column::mtime);
  entry.ctime = get<std::int64_t>(Column::ctime);
  entry.btime = get<std::int64_t>(Column::btime);
  return entry;
}

}  // namespace pwalk
