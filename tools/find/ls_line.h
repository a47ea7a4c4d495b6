#pragma once

#include <string>

#include "find/visit.h"

namespace pwalk::tools::find {

/// The lines of -ls. Columns grow with what they have had to hold, so one LsLine
/// serves a whole run.
class LsLine {
 public:
  void append(Visit& visit, std::string& out);

 private:
  void append_padded(std::string& out, const std::string& text, std::size_t& width, bool left);
  std::size_t inode_ = 9, blocks_ = 6, links_ = 3, user_ = 8, group_ = 8, size_ = 8;
};

}  // namespace pwalk::tools::find
