#pragma once

#include <pybind11/pybind11.h>

#include <string>

#include "pwalk/image/results_filesystem.h"

/// An image as Python's ResultsFilesystem and its entries see it. Everything here needs the GIL, gives it
/// away while it reads the image, and may be called by several threads at once. Names and paths come back
/// as bytes or, with `as_bytes` false, as text with surrogate escapes.
namespace pwalk::bindings {

/// bytes, or str as os.fsdecode makes it where names are UTF-8.
pybind11::object name_object(std::string_view name, bool as_bytes);

/// One row of an image; keeps the image open.
class ResultRow {
 public:
  ResultRow(ResultsFilesystem results, EntryRef entry) : results_(std::move(results)), entry_(entry) {}

  pybind11::object name(bool as_bytes) const { return name_object(entry_.name(), as_bytes); }
  std::string type() const { return std::string(1, entry_.type()); }
  std::uint32_t error() const { return entry_.error(); }
  /// The value of a column; None where it was not fetched or is not known. KeyError: no such column.
  pybind11::object value(const std::string& column) const;
  /// mode inode device nlink uid gid size, atime mtime ctime in ns, blocks rdev; None as above.
  pybind11::tuple status() const;

 private:
  ResultsFilesystem results_;
  EntryRef entry_;
};

/// One image, at one commit.
class ResultsHandle {
 public:
  /// `scan` as ipc::open_image(), or a file; `access`: auto, map or copy.
  static ResultsHandle open(const std::string& scan, const std::string& access);
  ResultsHandle refreshed() const;

  // In each, `path` is absolute and `given` what an exception shall name. A directory that the scan could
  // not read to its end raises the error it met.
  ResultRow stat(const std::string& path, const pybind11::object& given) const;
  pybind11::list names(const std::string& path, const pybind11::object& given, bool as_bytes) const;
  pybind11::list rows(const std::string& path, const pybind11::object& given) const;
  /// (names of directories and of links to them, names of the rest, those of the first that are links).
  pybind11::tuple split_names(const std::string& path, const pybind11::object& given, bool as_bytes) const;
  pybind11::list glob(const std::string& pattern, bool as_bytes) const;
  /// (inodes, apparent bytes, allocated bytes).
  pybind11::tuple du(const std::string& path, const pybind11::object& given) const;

  const ResultsFilesystem& results() const { return results_; }

 private:
  explicit ResultsHandle(ResultsFilesystem results) : results_(std::move(results)) {}
  Listing listing(const std::string& path, const pybind11::object& given) const;

  ResultsFilesystem results_;
};

}  // namespace pwalk::bindings
