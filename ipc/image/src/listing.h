#pragma once

#include <string_view>
#include <unordered_set>

#include "pwalk/image/listing.h"

namespace pwalk {

/// The row is an entry of its directory as people see it: it was there when the
/// scan asked, and it is not the row of `/` itself, which has no name.
inline bool is_visible(const EntryRef& entry) {
  return !(entry.flags() & schema::kVanished) && !entry.name().empty();
}

/// Fills a Listing from runs of rows, leaving out what is no entry.
class ListingBuilder {
 public:
  /// `unique`: a name may come twice (the scan's roots overlap) and is taken once.
  ListingBuilder(Listing& into, bool unique) : into_(&into), unique_(unique) {
    into.runs_.clear();
    into.record_.reset();
  }
  void add_run(const RowRun& run);
  /// Of several records the one that read to the end counts.
  void add_record(const schema::DirectoryRecord& record);

 private:
  bool wanted(const EntryRef& entry);
  Listing* into_;
  bool unique_;
  std::unordered_set<std::string_view> seen_;
};

}  // namespace pwalk
