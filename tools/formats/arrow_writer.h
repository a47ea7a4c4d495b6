#pragma once

#include <memory>

#include "formats/entry_writer.h"

namespace pwalk::tools {

enum class ArrowLayout : std::uint8_t {
  stream,  ///< what can be read from a pipe
  file,    ///< the same with a footer, so that batches are found without reading the others
};

/// `arrow`: Arrow's IPC format, a record batch per batch. `directory`, `name` and
/// `path` are binary, numbers have the columns' types, times are timestamp[ns, UTC];
/// an unknown value is null.
///
/// No dictionaries: each batch has its own directories, and neither a replaced nor a
/// growing dictionary is read by everybody.
///
/// With no columns given they are directory, name, and what the first batch has.
class ArrowWriter final : public EntryWriter {
 public:
  ArrowWriter(std::vector<OutputColumn> columns, ArrowLayout layout);
  ~ArrowWriter() override;
  void begin(std::string& out) override;
  void write(const schema::EntryBatchView& batch, std::string& out) override;
  void finish(std::string& out) override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pwalk::tools
