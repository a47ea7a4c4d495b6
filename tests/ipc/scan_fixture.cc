#include "ipc/scan_fixture.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <thread>

namespace pwalk::ipc::testing {

namespace fs = std::filesystem;

RuntimeDirectory::RuntimeDirectory() {
  std::string pattern = "/dev/shm/pwt.XXXXXX";
  if (!::mkdtemp(pattern.data())) throw std::runtime_error("mkdtemp");
  path_ = pattern;
  ::setenv("PWALK_RUNTIME_DIR", path_.c_str(), 1);
}

RuntimeDirectory::~RuntimeDirectory() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
  ::unsetenv("PWALK_RUNTIME_DIR");
}

std::vector<std::string> RuntimeDirectory::names() const {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(path_)) names.push_back(entry.path().filename());
  return names;
}

std::uint64_t test_seed() {
  const char* given = std::getenv("PWALK_TEST_SEED");
  const std::uint64_t seed = given ? std::strtoull(given, nullptr, 0) : std::random_device{}();
  std::cout << "PWALK_TEST_SEED=" << seed << std::endl;
  return seed;
}

BatchSource::BatchSource(std::uint64_t first_row)
    : first_(first_row),
      next_(first_row),
      builder_({schema::Column::type, schema::Column::inode, schema::Column::size, schema::Column::error},
               {.rows = schema::EntryBatchBuilder::kMaxRows, .bytes = std::size_t{64} << 20}) {}

OutgoingBatch BatchSource::make(std::uint32_t rows, std::size_t name_bytes) {
  builder_.begin_directory("/numbered", 1);
  for (std::uint32_t i = 0; i < rows; ++i) {
    const std::string name = fmt::format("{:0>{}}", next_, name_bytes);
    schema::Entry entry;
    entry.name = name;
    entry.known = schema::ColumnSet::all();
    entry.type = 'f';
    entry.inode = next_;
    entry.size = next_ % 1000;
    EXPECT_TRUE(builder_.append(entry));
    ++next_;
  }
  EXPECT_TRUE(builder_.end_directory({.entries = rows, .flags = schema::kComplete}));
  const schema::FinishedBatch done = builder_.finish();
  return {.bytes = done.bytes,
          .rows = done.rows,
          .records = done.records,
          .file_bytes = done.file_bytes,
          .content_hash = done.content_hash};
}

void RowTally::add(const schema::EntryBatchView& view) {
  const schema::ColumnView& inode = view.column(schema::Column::inode);
  for (std::uint32_t row = 0; row < view.rows(); ++row) {
    const auto number = inode.at<std::uint64_t>(row);
    if (number >= seen_.size()) seen_.resize(number + 1);
    ++seen_[number];
    ++rows_;
  }
}

std::string RowTally::missing_or_doubled(std::uint64_t total) const {
  for (std::uint64_t row = 0; row < std::max<std::uint64_t>(total, seen_.size()); ++row) {
    const unsigned times = row < seen_.size() ? seen_[row] : 0;
    if (times != (row < total)) return fmt::format("row {} of {} came {} times", row, total, times);
  }
  return "";
}

struct ServedScan::Server {
  explicit Server(ScanSession& session)
      : thread([this, &session] {
          while (!done) session.serve(std::chrono::milliseconds(20));
        }) {}
  std::atomic<bool> done{false};
  std::thread thread;
};

ServedScan::ServedScan(const std::string& name, std::uint64_t pool_bytes, HugePages pages)
    : ServedScan(SessionOptions{.name = name, .roots = {"/numbered"}, .pool_bytes = pool_bytes, .huge_pages = pages}) {}

ServedScan::ServedScan(const SessionOptions& options) {
  auto session = ScanSession::create(options);
  if (!session) throw std::runtime_error(session.error().message());
  session_ = std::make_unique<ScanSession>(*std::move(session));
  server_ = std::make_unique<Server>(*session_);
}

ServedScan::~ServedScan() {
  server_->done = true;
  session_->wake();
  server_->thread.join();
}

}  // namespace pwalk::ipc::testing
