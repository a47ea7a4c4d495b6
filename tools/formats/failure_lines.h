#pragma once

#include <string>

#include "pwalk/schema/entry_batch_view.h"

namespace pwalk::tools {

/// Appends one line for every row and directory record of a batch that has an
/// errno, as find words it: `pwalk: '/path': Permission denied`. Control bytes of
/// the path are escaped.
void append_failure_lines(const schema::EntryBatchView& batch, std::string& out);

}  // namespace pwalk::tools
