#pragma once

#include <utility>

#include "dir_reader.h"
#include "directory_node.h"
#include "pwalk/schema/entry.h"

namespace pwalk {

/// One directory in the hands of a worker, from when it is taken from the
/// frontier until it is finished; it may be put aside in between.
struct DirectoryVisit {
  /// What has to be given back at the end.
  enum class Holds : unsigned char {
    parent,   ///< not opened yet: still a user of the parent's descriptor
    nothing,  ///< could not be opened
    user,     ///< opened, but not pinned: put aside
    pin,      ///< opened and pinned: being read
  };

  explicit DirectoryVisit(NodePtr directory) : node(std::move(directory)) {}

  NodePtr node;
  Holds holds = Holds::parent;
  bool is_reported = false;   ///< gets a directory record
  bool lost_position = false; ///< the descriptor was renewed: seek before the next block
  bool was_revived = false;   ///< ESTALE is answered once
  bool is_known = false;      ///< its rows are those of an earlier scan
  std::uint64_t repeated = 0; ///< so many of them have been dealt with
  ListingPosition position;
  schema::DirectoryRecord record;

  /// The first failure is the one that is told.
  void fail(int error, schema::Operation operation) {
    if (record.error != 0) return;
    record.error = std::uint32_t(error);
    record.operation = operation;
  }
};

}  // namespace pwalk
