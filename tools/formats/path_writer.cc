#include "formats/path_writer.h"

#include "formats/row_path.h"
#include "text/escape.h"

namespace pwalk::tools {

void PathWriter::write(const schema::EntryBatchView& batch, std::string& out) {
  RowPath path(batch);
  std::string prefix;
  for (std::uint32_t row = 0; row < batch.rows(); ++row) {
    if (path.move_to(row))
      prefix = for_terminal_ ? escaped(path.directory_with_slash()) : path.directory_with_slash();
    out += prefix;
    if (for_terminal_)
      append_escaped(out, path.name());
    else
      out += path.name();
    out += end_;
  }
}

}  // namespace pwalk::tools
