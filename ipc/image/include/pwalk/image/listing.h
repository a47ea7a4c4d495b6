#pragma once

#include <cstdint>
#include <iterator>
#include <optional>
#include <vector>

#include "pwalk/image/entry_ref.h"

namespace pwalk {

/// Neighbouring rows of one directory.
struct RowRun {
  const schema::EntryBatchView* batch = nullptr;
  std::uint32_t first = 0, count = 0;
};

/// The entries of one directory, in the order in which they were published, and
/// what the scan says of the directory itself. Borrowed like EntryRef. Reuse one
/// Listing for many directories: it keeps its memory.
///
/// Rows that are no entries of a directory (vanished meanwhile, the row of `/`
/// itself, a second row for one name when roots overlap) are not in it.
class Listing {
 public:
  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = EntryRef;
    using difference_type = std::ptrdiff_t;
    using pointer = const EntryRef*;
    using reference = EntryRef;

    Iterator() = default;
    explicit Iterator(const RowRun* run) : run_(run) {}
    EntryRef operator*() const { return {*run_->batch, run_->first + at_}; }
    Iterator& operator++() {
      if (++at_ == run_->count) ++run_, at_ = 0;
      return *this;
    }
    Iterator operator++(int) {
      Iterator before = *this;
      ++*this;
      return before;
    }
    bool operator==(const Iterator&) const = default;

   private:
    const RowRun* run_ = nullptr;
    std::uint32_t at_ = 0;
  };

  Iterator begin() const { return Iterator(runs_.data()); }
  Iterator end() const { return Iterator(runs_.data() + runs_.size()); }
  bool empty() const { return runs_.empty(); }
  std::size_t size() const;
  /// None of them is empty.
  const std::vector<RowRun>& runs() const { return runs_; }

  /// What the scan says of the directory: whether it was read to the end, and the
  /// errno and operation if it was not. None: it was not entered (a depth limit, a
  /// filter, another file system), or its reading has not ended in a growing image.
  const std::optional<schema::DirectoryRecord>& record() const { return record_; }

 private:
  friend class ListingBuilder;
  std::vector<RowRun> runs_;
  std::optional<schema::DirectoryRecord> record_;
};

}  // namespace pwalk
