#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pwalk/base/result.h"
#include "pwalk/image/entry_ref.h"
#include "pwalk/image/listing.h"
#include "pwalk/image/scan_facts.h"

namespace pwalk {

/// How an image's bytes are reached.
enum class ImageAccess : std::uint8_t {
  automatic,  ///< mapped; copied where a mapping can fault (network file systems, FUSE)
  map,
  copy,  ///< what is touched is read into memory of our own: safe if others may truncate the file
};

/// One batch of an image, as it was published.
struct ImageBatch {
  const schema::EntryBatchView* view = nullptr;  ///< borrowed like EntryRef
  std::uint32_t lane = 0;
  std::uint64_t sequence = 0;
};

/// One batch of an image on its own: its bytes stay where they are as long as `bytes`
/// is kept, also when every handle of the image is gone.
struct HeldImageBatch {
  schema::EntryBatchView view;
  std::shared_ptr<const std::byte> bytes;
  std::uint32_t lane = 0;
  std::uint64_t sequence = 0;
};

/// A scanned tree, by path, out of an image: no system call on the scanned file
/// system. A handle is one commit of one file, for good: it does not change while
/// the image grows (ask refreshed()) or is replaced. Copies share it; the last copy
/// closes the file, and with it everything borrowed. Const calls are thread-safe.
///
/// Paths are absolute; repeated slashes, "." and ".." are resolved as text, since
/// links are not followed (but a root that was given as `x/../y` is called that).
/// Opening reads a few pages; every batch and index page is checked against its
/// checksum once, before its first use.
///
/// Errors of every call: EPROTO, the file is damaged (the message names file, offset
/// and what is wrong there); EIO. Others are named at the call.
class ResultsFilesystem {
 public:
  /// Opens FILE, finished or growing (then usually FILE.partial). Errors: what open(2)
  /// says; EPROTO also for what is not an image, is of another version, or is shorter
  /// than its last commit says.
  static Result<ResultsFilesystem> open(const std::string& file,
                                        ImageAccess access = ImageAccess::automatic);
  /// The same open file at its newest commit, even if its name now means another file.
  Result<ResultsFilesystem> refreshed() const;

  const image::ScanFacts& facts() const;
  const image::ImageTotals& totals() const;
  image::ImageState state() const;
  std::int64_t finished_ns() const;  ///< 0 while it grows
  /// Growing, and its writer is gone: nothing will be added. Asks the kernel.
  bool abandoned() const;
  const std::vector<image::LanePosition>& lanes() const;
  const std::string& file() const;
  std::uint64_t bytes() const;  ///< of the file, up to this commit

  /// The row of a path. ENOENT: no such entry (or it vanished during the scan);
  /// ENOTDIR: something on the way is no directory.
  Result<EntryRef> stat(std::string_view path) const;

  /// The row of a name in a directory, or none, whatever the reason: for those who look up
  /// many names and expect to miss.
  Result<EntryRef> entry_in(std::string_view directory, std::string_view name) const;

  /// The entries of a directory. ENOENT, ENOTDIR. A directory that the scan could
  /// not read is no error here: see Listing::record().
  Result<void> list(std::string_view path, Listing& into) const;
  Result<Listing> list(std::string_view path) const;

  /// Batches, 0 to totals().batches - 1, in the order in which they were written
  /// (within a lane by sequence). For those who want every row and no tree.
  Result<ImageBatch> batch(std::uint64_t number) const;
  /// The same, but nothing stays behind when it is dropped: for streaming an image of
  /// any size. It lies in the mapping, or on the heap where the file is copied. Checked
  /// at every call. EINVAL: no such batch.
  Result<HeldImageBatch> hold(std::uint64_t number) const;
  /// Lane and sequence of a batch, without reading it. Requires number < totals().batches.
  ImageBatch placed(std::uint64_t number) const;
  /// `address` lies in the mapped file: for proofs of zero copy.
  bool is_mapped_at(const void* address) const;

 private:
  friend class TreeWalk;
  class Snapshot;
  explicit ResultsFilesystem(std::shared_ptr<const Snapshot> snapshot);
  std::string resolved(std::string_view path) const;  ///< of a path that stat() has taken
  tl::unexpected<Error> missing(std::string_view path) const;
  std::shared_ptr<const Snapshot> snapshot_;
};

}  // namespace pwalk
