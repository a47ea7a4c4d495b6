// One walk without transport, for tests: prints every row and every directory
// record as a line of JSON, then the figures.
//   walk_rows [--OPTION=VALUE...] PATH...       options as pwalk-scanner has them
// Bytes of names above 0x7e or below 0x20 are written as \u00HH, one for each byte.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "pwalk/scanner.h"
#include "pwalk/schema/entry_batch_view.h"

namespace {

using pwalk::schema::Column;
using pwalk::schema::EntryBatchView;

std::string quoted(std::string_view bytes) {
  std::string text = "\"";
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    char escaped[8];
    std::snprintf(escaped, sizeof escaped, "\\u%04x", byte);
    text += byte < 0x20 || byte > 0x7e || c == '"' || c == '\\' ? std::string(escaped) : std::string(1, c);
  }
  return text + '"';
}

class PrintingSink : public pwalk::BatchSink {
 public:
  pwalk::Result<void> accept(unsigned, const pwalk::schema::FinishedBatch& batch) override {
    const std::lock_guard lock(mutex_);
    const std::unique_ptr<std::byte, void (*)(void*)> aligned(
        static_cast<std::byte*>(std::aligned_alloc(64, (batch.bytes.size() + 63) / 64 * 64)), std::free);
    std::memcpy(aligned.get(), batch.bytes.data(), batch.bytes.size());
    const auto view = EntryBatchView::check({aligned.get(), batch.bytes.size()});
    if (!view) return pwalk::fail(view.error().code, view.error().what);
    for (std::uint32_t row = 0; row < view->rows(); ++row) print_row(*view, row);
    for (std::uint32_t i = 0; i < view->record_count(); ++i) print_record(*view, i);
    return {};
  }
  std::size_t max_batch_bytes() const override { return std::size_t{64} << 20; }

 private:
  static unsigned long long value(const EntryBatchView& view, Column column, std::uint32_t row) {
    const auto& values = view.column(column);
    return values ? values.at<std::uint64_t>(row) : 0;
  }

  static void print_row(const EntryBatchView& view, std::uint32_t row) {
    std::printf(
        "{\"path\": %s, \"type\": \"%c\", \"size\": %llu, \"error\": %llu, \"operation\": \"%s\", \"flags\": "
        "%llu}\n",
        quoted(view.path(row)).c_str(), char(value(view, Column::type, row)), value(view, Column::size, row),
        value(view, Column::error, row), operation(unsigned(value(view, Column::operation, row))),
        value(view, Column::flags, row));
  }

  static void print_record(const EntryBatchView& view, std::uint32_t index) {
    const auto [directory, record] = view.record(index);
    std::string path;
    view.append_directory_path(directory, path);
    std::printf(
        "{\"directory\": %s, \"entries\": %llu, \"error\": %u, \"operation\": \"%s\", \"flags\": %u}\n",
        quoted(path).c_str(), static_cast<unsigned long long>(record.entries), record.error,
        operation(unsigned(record.operation)), unsigned(record.flags));
  }

  static const char* operation(unsigned number) {
    return number < pwalk::schema::kOperationNames.size() ? pwalk::schema::kOperationNames[number].data()
                                                          : "?";
  }

  std::mutex mutex_;
};

/// `--max-depth=3` into its option; false: there is none of that name, or the value is not allowed.
bool set_option(pwalk::ScanOptions& options, std::string_view word) {
  const std::string_view name = word.substr(2, word.find('=') - 2);
  const std::string_view value = word.find('=') == word.npos ? "true" : word.substr(word.find('=') + 1);
  bool done = false;
  pwalk::for_each_scan_option(options, [&](auto& group, const auto& spec) {
    if (spec.name != name) return;
    using Value = std::remove_reference_t<decltype(group.*spec.member)>;
    auto parsed = pwalk::OptionValue<Value>::parse(value);
    if (!parsed) return;
    group.*spec.member = *std::move(parsed);
    done = true;
  });
  return done;
}

}  // namespace

int main(int count, char** words) {
  pwalk::ScanOptions options;
  std::vector<std::string> roots;
  for (int i = 1; i < count; ++i) {
    const std::string_view word = words[i];
    if (word.substr(0, 2) != "--") {
      roots.emplace_back(word);
    } else if (!set_option(options, word)) {
      std::fprintf(stderr, "walk_rows: %s is not known, or its value is not allowed\n", words[i]);
      return 2;
    }
  }
  const auto plan = pwalk::resolve_plan(options, roots);
  if (!plan) {
    std::fprintf(stderr, "walk_rows: %s\n", plan.error().message().c_str());
    return 2;
  }
  PrintingSink sink;
  pwalk::Scanner scanner(*plan, sink);
  if (const auto started = scanner.start(); !started) return 3;
  const pwalk::ScanStats stats = scanner.wait();
  std::printf(
      "{\"summary\": {\"entries\": %llu, \"errors\": %llu, \"vanished\": %llu, \"skipped\": %llu, "
      "\"threads\": %u, "
      "\"complete\": %s}}\n",
      static_cast<unsigned long long>(stats.counts.entries),
      static_cast<unsigned long long>(stats.counts.errors),
      static_cast<unsigned long long>(stats.counts.vanished),
      static_cast<unsigned long long>(stats.counts.skipped), stats.threads,
      stats.complete ? "true" : "false");
}
