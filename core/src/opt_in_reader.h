#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "pwalk/scan_options.h"
#include "pwalk/schema/entry.h"
#include "sys/calls.h"

namespace pwalk {

/// Fetches the columns that are fetched only when asked for: a link's text, project
/// ids, and where a parallel file system keeps a file. One per worker.
///
/// What cannot be told is null and no error: that a file system has no projects, or a
/// file no layout, says nothing about the tree.
class OptInReader {
 public:
  /// `wanted`: all columns of the scan.
  OptInReader(const sys::Calls& calls, schema::ColumnSet wanted)
      : calls_(calls), wanted_(wanted & schema::ColumnSet::opt_in()) {}

  bool wants_any() const { return !wanted_.empty(); }

  /// A column tells the metadata server of each entry's directory.
  bool wants_server() const { return wants(schema::Column::mdt); }

  /// A directory is read from here on, or again. `server`: what is known of its metadata server.
  void enter(Profile profile, std::optional<std::uint32_t> server);

  /// Adds to the entry of `name` in `directory`, whose type is known. Texts stay
  /// valid until the next call. `directory` may be AT_FDCWD, for a root.
  void read(int directory, const char* name, schema::Entry& entry);

 private:
  void read_target(int directory, const char* name, schema::Entry& entry);
  void read_project(int directory, const char* name, schema::Entry& entry);
  void read_stripes(int directory, const char* name, schema::Entry& entry);
  void read_lustre_stripes(int directory, const char* name, schema::Entry& entry);
  void read_beegfs_stripes(int directory, const char* name, schema::Entry& entry);
  bool wants(schema::Column column) const { return wanted_.has(column); }

  const sys::Calls& calls_;
  const schema::ColumnSet wanted_;
  Profile profile_ = Profile::local;
  std::optional<std::uint32_t> server_;  ///< of the directory entered
  bool by_name_ = true;                ///< this kernel tells a project id without an open
  std::array<char, 4096> target_;      ///< PATH_MAX: the longest text a link can have
  std::array<std::byte, 65536> layout_;  ///< XATTR_SIZE_MAX
  std::string path_;
};

}  // namespace pwalk
