#pragma once

#include <string>
#include <string_view>

#include "lane_sink.h"
#include "pwalk/schema/entry_batch_builder.h"

namespace pwalk::publish {

/// Packs rows that are to be told into batches of their own. One worker's.
class ChangeWriter {
 public:
  ChangeWriter(schema::ColumnSet columns, schema::BatchLimits limits, LaneSink& lanes, unsigned worker)
      : lanes_(lanes), worker_(worker), builder_(columns, limits) {}

  /// What follows lies in this directory. The path is borrowed until the next enter() or flush().
  void enter(std::string_view path, std::uint64_t inode);
  Result<void> append(const schema::Entry& entry);
  Result<void> close(const schema::DirectoryRecord& record);
  /// Publishes what there is.
  Result<void> flush();

 private:
  template <class Put>
  Result<void> put(Put&& put_once);

  LaneSink& lanes_;
  const unsigned worker_;
  schema::EntryBatchBuilder builder_;
  std::string_view path_;
  std::uint64_t inode_ = 0;
  bool begun_ = false;  ///< the builder knows path_
};

}  // namespace pwalk::publish
