#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "pwalk/image/tree_walk.h"
#include "text/byte_output.h"
#include "text/owner_names.h"

/// What a find expression sees of one entry, and may do.
namespace pwalk::tools::find {

/// One run of find, over all its starting points.
struct Run {
  ByteOutput* output = nullptr;
  bool for_terminal = false;   ///< paths are escaped
  std::int64_t now_ns = 0;     ///< what ages are counted from
  OwnerNames names;
  bool failed = false;         ///< something could not be told; exit 1
  bool quit = false;           ///< -quit was met
};

struct Visit {
  Run& run;
  TreeWalk& walk;
  std::string_view start;  ///< the starting point's path
  std::string_view path;
  EntryRef entry;
  std::uint32_t depth = 0;

  /// The last component; "/" for `/`.
  std::string_view name() const {
    const auto slash = path.rfind('/');
    return path.size() == 1 ? path : path.substr(slash + 1);
  }
  template <class T>
  T get(schema::Column column) const {
    return entry.get<T>(column);
  }
  bool knows(schema::Column column) const { return entry.has(column); }
};

/// A test or an action, or several joined. True or false, as find has it.
using Test = std::function<bool(Visit&)>;

}  // namespace pwalk::tools::find
