#pragma once

#include <chrono>

#include "pwalk/image/results_filesystem.h"
#include "pwalk/known_tree.h"

namespace pwalk::publish {

/// A directory that was changed later than this before the older scan began is not trusted: times
/// are as coarse as 2 s (FAT), and what came after the scan could have the very same time.
inline constexpr std::chrono::seconds kTimesMayBeCoarse{2};

/// An older image, believed where a directory looks as it did: same device, inode, mtime and ctime, and
/// the older scan read it to the end, found no error in it, and began more than kTimesMayBeCoarse after these
/// times. Damage in the image makes a directory unknown. Thread-safe.
///
/// That says that no name came or went. It says nothing of files that were written, or whose owner or mode was
/// changed, in place.
class TrustedTree final : public KnownTree {
 public:
  /// `before` is copied, which shares it.
  explicit TrustedTree(ResultsFilesystem before) : before_(std::move(before)) {}
  std::unique_ptr<KnownDirectories> reader() const override;

 private:
  ResultsFilesystem before_;
};

}  // namespace pwalk::publish
