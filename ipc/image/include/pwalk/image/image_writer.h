#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "pwalk/base/result.h"
#include "pwalk/image/scan_facts.h"
#include "pwalk/schema/entry_batch_view.h"

namespace pwalk::image {

struct WriterOptions {
  std::uint64_t max_bytes = 0;                  ///< of the file; 0: as much as the device takes
  std::uint64_t commit_bytes = 256u << 20;      ///< commit_due() after so many bytes of batches ...
  std::uint32_t commit_rows = 1u << 20;         ///< ... or so many rows (they bound the index in memory) ...
  std::chrono::milliseconds commit_age{1000};   ///< ... or so long after the first uncommitted batch
};

/// Appends a scan's batches to an image and indexes their directories.
///
/// The file grows as FILE.partial, which readers may open at any time: they see
/// the last commit. finish() makes it FILE, atomically; without finish() the
/// destructor removes it, and a killed writer leaves a FILE.partial that is
/// readable up to its last commit and is replaced by the next writer. Memory
/// does not grow with the tree: about 6 bytes per uncommitted row. One thread.
///
/// The first error is final: every later call repeats it, the commits before it
/// stay readable. Errors: ENOSPC or EDQUOT, the device is full; EFBIG, max_bytes
/// is reached; EIO; the message names the file and the offset.
class ImageWriter {
 public:
  /// Errors beyond those: EBUSY, another writer is at FILE.partial; EINVAL, EISDIR, an empty
  /// file name, or FILE is there and no regular file; whatever open(2) says.
  static Result<ImageWriter> create(const std::string& file, const ScanFacts& facts,
                                    const WriterOptions& options = {});
  ImageWriter(ImageWriter&&) noexcept;
  ImageWriter& operator=(ImageWriter&&) noexcept;
  ~ImageWriter();

  /// Adds one batch (its bytes are copied before this returns). Within a lane
  /// sequences ascend. Readers see it after the next commit().
  Result<void> append(std::uint32_t lane, std::uint64_t sequence, const schema::EntryBatchView& batch);

  /// What was appended is old or large enough to be committed.
  bool commit_due() const;

  /// Makes everything appended so far readable. What it covers may be given back
  /// to the scanner afterwards. Nothing is synchronised to the device: a crash of
  /// the machine costs FILE.partial, never FILE.
  Result<void> commit();

  /// The last commit of an image that will not be finished: whoever has it open sees
  /// everything, and that it was cut short. Nothing may be added.
  Result<void> commit_as_cut_short();

  /// Commits, merges the index, synchronises the file, renames it to FILE and
  /// synchronises its directory. `state`: complete or cut_short.
  Result<void> finish(ImageState state, std::int64_t finished_ns);

  /// Committed or not.
  const ImageTotals& totals() const;
  /// Size of the file so far.
  std::uint64_t bytes() const;
  /// Where the growing image is: FILE.partial.
  const std::string& partial_file() const;

 private:
  struct Impl;
  explicit ImageWriter(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Somebody holds the writer's lock on this FILE.partial. False also if it is not there.
bool is_being_written(const std::string& partial_file);

/// The file begins as images do. False also if it cannot be read.
bool is_image(const std::string& file);

/// Removes a FILE.partial that nobody is writing. True if it did.
bool remove_if_abandoned(const std::string& partial_file);

}  // namespace pwalk::image
