#pragma once

#include "formats/entry_writer.h"

namespace pwalk::tools {

/// `text` and `null`: one path after the other, ended by `end`.
class PathWriter final : public EntryWriter {
 public:
  PathWriter(char end, bool for_terminal) : end_(end), for_terminal_(for_terminal) {}
  void write(const schema::EntryBatchView& batch, std::string& out) override;

 private:
  char end_;
  bool for_terminal_;
};

}  // namespace pwalk::tools
