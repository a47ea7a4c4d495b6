#pragma once

#include <string_view>

#include "pwalk/batch_sink.h"
#include "pwalk/schema/batch_packer.h"

namespace pwalk::publish {

/// Packs rows that are to be told into batches of their own. One worker's.
class ChangeWriter {
 public:
  ChangeWriter(schema::ColumnSet columns, schema::BatchLimits limits, BatchSink& lanes, unsigned worker)
      : lanes_(lanes), worker_(worker), packer_(columns, limits) {}

  /// What follows lies in this directory. The path is borrowed until the next enter() or flush().
  void enter(std::string_view path, std::uint64_t inode) { packer_.enter(path, inode); }
  Result<void> append(const schema::Entry& entry);
  Result<void> close(const schema::DirectoryRecord& record);
  /// Publishes what there is.
  Result<void> flush();

 private:
  auto publishing(Result<void>& handed) {
    return [this, &handed](const schema::FinishedBatch& batch) { handed = lanes_.accept(worker_, batch); };
  }

  BatchSink& lanes_;
  const unsigned worker_;
  schema::BatchPacker packer_;
};

}  // namespace pwalk::publish
