#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pwalk::schema {

/// Writes the directory table of one batch, front coded against the row before
/// (FORMAT.md, "Directories"). A directory that is begun becomes a row only when
/// it is committed; until then the next begin() replaces it.
class DirectoryCoder {
 public:
  /// What one row of the table takes besides its suffix.
  static constexpr std::size_t kRowBytes = 4 + 4 + 4 + 8;

  void begin(std::string_view path, std::uint64_t inode);
  std::int16_t commit();  ///< the new row
  void clear();

  std::uint32_t rows() const { return std::uint32_t(inodes_.size()); }
  std::size_t bytes() const { return rows() * kRowBytes + suffix_bytes_.size(); }
  /// What the directory that was begun last would add to bytes().
  std::size_t pending_bytes() const { return kRowBytes + path_.size() - path_shared_; }

  const std::vector<std::int32_t>& prefix() const { return prefix_; }
  const std::vector<std::uint32_t>& shared() const { return shared_; }
  const std::vector<std::int32_t>& suffix_offsets() const { return suffix_offsets_; }
  const std::string& suffix_bytes() const { return suffix_bytes_; }
  const std::vector<std::uint64_t>& inodes() const { return inodes_; }
  /// hash_directory_path of each row.
  const std::vector<std::uint64_t>& path_hashes() const { return path_hashes_; }

 private:
  std::int32_t owner_of_last_shared_byte() const;

  std::string path_;  ///< begun last
  std::uint64_t inode_ = 0;
  std::size_t path_shared_ = 0;  ///< bytes it shares with last_path_
  std::string last_path_;        ///< committed last
  std::vector<std::int32_t> prefix_;
  std::vector<std::uint32_t> shared_;
  std::vector<std::int32_t> suffix_offsets_{0};
  std::string suffix_bytes_;
  std::vector<std::uint64_t> inodes_, path_hashes_;
};

}  // namespace pwalk::schema
