#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pwalk/image/results_filesystem.h"

namespace pwalk::publish {

/// One directory as an older image has it, while a scan tells what is in it now: who is found
/// again is ticked off. Keeps its memory from directory to directory, a bit per entry. One thread.
class OldDirectory {
 public:
  /// `results` is borrowed. A directory that the image does not know is empty. Errors: as
  /// ResultsFilesystem, but for ENOENT and ENOTDIR.
  Result<void> open(const ResultsFilesystem& results, const std::string& path);

  /// The entry of that name, ticked off; none if there is no such entry.
  Result<EntryRef> take(std::string_view name);

  /// Calls visit(entry) for those that were not taken.
  template <class Visit>
  void for_each_left(Visit&& visit) const {
    std::size_t place = 0;
    for (const EntryRef entry : listing_)
      if (!taken_[place++]) visit(entry);
  }

 private:
  /// A run of the listing, and the place of its first row.
  struct Stretch {
    RowRun run;
    std::size_t start;
  };

  Result<std::optional<std::size_t>> find(std::string_view name) const;
  std::optional<std::size_t> place_of(const EntryRef& entry) const;
  std::optional<std::size_t> search(std::string_view name) const;
  EntryRef entry_at(std::size_t place);

  const ResultsFilesystem* results_ = nullptr;
  std::string path_;
  Listing listing_;
  std::vector<bool> taken_;
  std::vector<Stretch> stretches_;  ///< in the order of the listing
  std::vector<Stretch> by_batch_;   ///< the same, sorted by where their rows are
  // Names mostly come in the order in which they came before: this place is looked at first.
  std::size_t next_ = 0;
  std::size_t stretch_ = 0;  ///< that the last entry_at() found
};

}  // namespace pwalk::publish
