#pragma once

#include <pybind11/pybind11.h>

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "pwalk/schema/entry_batch_view.h"

namespace pwalk::bindings {

struct WalkTreeOptions {
  std::string top;             ///< as the caller wrote it; what dirpaths begin with
  bool as_bytes = false;       ///< else str
  bool topdown = true;
  bool follow_links = false;
  bool one_file_system = false;
  std::optional<std::uint32_t> max_depth;
};

/// Puts os.walk's triples together from the batches of one walk, which come in any order. A directory is ready
/// when all of it has come and, topdown, the one above was dealt with or, bottom up, all below it were. Needs
/// the GIL. Memory: the directories that are not ready, and those ready and not taken.
///
/// Every directory that the scan enters gets one record, also one that it left out because it was declined.
///
/// Also says what the scanner has to hear: which directories were dealt with, which are not wanted (see
/// tools/scan/walk_link.h).
class WalkTree {
 public:
  explicit WalkTree(WalkTreeOptions options);

  void add(const schema::EntryBatchView& batch);

  /// The next directory that is ready: (path, directories, others), or (path, errno) of one that could not
  /// be read; None if more batches are needed.
  pybind11::object next();

  /// Topdown, after each triple: what the caller left in its list of directories is entered. Returns the names that he
  /// added, of which the scan knows nothing.
  pybind11::list resume(const pybind11::list& directories);

  /// Frames for the scanner since the last call.
  pybind11::bytes take_messages();
  /// Directories dealt with since then: for deciding when to send.
  std::uint64_t unsent() const { return unsent_; }

  /// No more batches come: what waits for directories that never came is ready now. Bottom up only.
  void finish();

 private:
  struct Directory {
    pybind11::list directories, others;
    std::vector<bool> entered;                 ///< of `directories`: which the scan enters
    std::uint64_t rows = 0;
    std::optional<std::uint64_t> all_rows;     ///< known with the record
    int error = 0;                             ///< errno of its reading
    std::int64_t missing_below = 0;            ///< bottom up: entered and not yet taken; below 0 before its rows came
    bool wanted = false, declined = false;     ///< topdown: what was said of it above
    bool is_complete() const { return all_rows && rows == *all_rows; }
  };
  struct Taken {
    std::string path;
    pybind11::tuple names;  ///< of `directories`, as they were handed out
    std::vector<bool> entered;
  };

  void add_rows(const schema::EntryBatchView& batch, std::uint32_t first, std::uint32_t end);
  void add_row(const schema::EntryBatchView& batch, std::uint32_t row, Directory& into);
  bool is_entered(const schema::EntryBatchView& batch, std::uint32_t row) const;
  void complete(const std::string& path);
  void want(const std::string& path);
  void decline(const std::string& path, bool tell);
  void drop(std::string path);
  void take_from_above(const std::string& path);
  void tell(char what, std::string_view payload);
  pybind11::object shown_path(const std::string& path) const;
  pybind11::object name_object(std::string_view name) const;
  std::vector<std::string> entered_below(const std::string& path, const pybind11::handle& names,
                                         const std::vector<bool>& entered) const;

  const WalkTreeOptions options_;
  std::unordered_map<std::string, Directory> waiting_;  ///< by path as rows show it, "" for `/`
  std::vector<std::string> ready_;                      ///< of waiting_; the last is next
  std::optional<std::string> root_;
  Taken taken_;
  std::string messages_;
  std::uint64_t unsent_ = 0;
};

}  // namespace pwalk::bindings
