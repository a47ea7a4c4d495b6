#pragma once

#include <string>
#include <string_view>

#include "formats/output_column.h"
#include "pwalk/schema/entry_batch_view.h"

namespace pwalk::tools {

/// The directory of the row at hand. A batch's rows come in runs of one
/// directory, so its path is put together once per run.
class RowPath {
 public:
  explicit RowPath(const schema::EntryBatchView& batch) : batch_(batch) {}

  /// Moves to `row`; true if its directory is another than before.
  bool move_to(std::uint32_t row) {
    const int index = batch_.directory_index()[row];
    name_ = batch_.name(row);
    if (index == index_) return false;
    index_ = index;
    directory_.clear();
    batch_.append_directory_path(std::uint32_t(index), directory_);
    directory_ += '/';
    return true;
  }

  /// directory_with_slash() + name() is the row's path.
  const std::string& directory_with_slash() const { return directory_; }
  /// Empty for `/`, and for the row of `/` itself.
  std::string_view directory() const { return std::string_view(directory_).substr(0, directory_.size() - 1); }
  std::string_view name() const { return name_; }
  /// What a column of that source has for this row. Requires path, directory or name.
  void append_to(std::string& out, OutputColumn::Source source) const {
    if (source == OutputColumn::Source::path) out += directory_with_slash();
    if (source == OutputColumn::Source::directory) out += directory();
    if (source != OutputColumn::Source::directory) out += name();
  }
  std::uint32_t directory_index() const { return std::uint32_t(index_); }

 private:
  const schema::EntryBatchView& batch_;
  int index_ = -1;
  std::string directory_;
  std::string_view name_;
};

}  // namespace pwalk::tools
