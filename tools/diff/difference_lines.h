#pragma once

#include <string>

#include "diff/tree_difference.h"

namespace pwalk::tools {

enum class DifferenceFormat : std::uint8_t {
  text,   ///< a line for people: "changed /a: size 3 -> 5", control bytes escaped
  jsonl,  ///< an object for programs: {"change":"changed","path":"/a","type":"f","size":[3,5]}
};

/// Puts differences into words.
class DifferenceLines {
 public:
  explicit DifferenceLines(DifferenceFormat format) : format_(format) {}
  void append(const Difference& difference, std::string& out) const;

 private:
  DifferenceFormat format_;
};

}  // namespace pwalk::tools
