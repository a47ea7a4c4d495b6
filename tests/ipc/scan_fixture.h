#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "pwalk/ipc/scan_session.h"
#include "pwalk/schema/entry_batch_builder.h"
#include "pwalk/schema/entry_batch_view.h"
#include "support/eventually.h"

/// What the tests of ipc share: a runtime directory of their own, batches whose
/// rows are numbered, and a tally that notices loss and doubling.
namespace pwalk::ipc::testing {

/// Makes a private runtime directory, points PWALK_RUNTIME_DIR at it, and removes
/// it with everything in it.
class RuntimeDirectory {
 public:
  RuntimeDirectory();
  RuntimeDirectory(const RuntimeDirectory&) = delete;
  RuntimeDirectory& operator=(const RuntimeDirectory&) = delete;
  ~RuntimeDirectory();
  const std::string& path() const { return path_; }
  /// Names in it, hidden ones too.
  std::vector<std::string> names() const;

 private:
  std::string path_;
};

/// The seed of this run: PWALK_TEST_SEED, or a fresh one that is printed.
std::uint64_t test_seed();

/// Makes batches whose rows carry consecutive inode numbers. One thread.
class BatchSource {
 public:
  /// Rows are numbered from `first_row`.
  explicit BatchSource(std::uint64_t first_row = 0);
  /// The next batch, of `rows` rows with names of `name_bytes`; valid until the next call.
  OutgoingBatch make(std::uint32_t rows, std::size_t name_bytes = 12);
  std::uint64_t rows_made() const { return next_ - first_; }

 private:
  std::uint64_t first_, next_;
  schema::EntryBatchBuilder builder_;
};

/// Which of the numbered rows came, and how often.
class RowTally {
 public:
  void add(const schema::EntryBatchView& view);
  std::uint64_t rows() const { return rows_; }
  /// Every row of [0, total) came exactly once.
  std::string missing_or_doubled(std::uint64_t total) const;

 private:
  std::vector<std::uint8_t> seen_;
  std::uint64_t rows_ = 0;
};

/// A session of the given pool, with its control thread running for as long as it lives.
class ServedScan {
 public:
  explicit ServedScan(const std::string& name, std::uint64_t pool_bytes = 2u << 20,
                      HugePages pages = HugePages::off);
  explicit ServedScan(const SessionOptions& options);
  ~ServedScan();
  ScanSession& session() { return *session_; }
  ScanSession* operator->() { return session_.get(); }

 private:
  struct Server;
  std::unique_ptr<ScanSession> session_;
  std::unique_ptr<Server> server_;
};

using pwalk::testing::eventually;

}  // namespace pwalk::ipc::testing
