#pragma once

#include <memory>

#include "arrow_schema.h"
#include "shared_consumer.h"

namespace pwalk::bindings {

/// What is left of a consumer's stream as an Arrow stream: one struct array per batch, of the columns
/// of its first. The stream has the consumer's errors as errno with a text; a scanner that died is
/// ECONNRESET, told after the last batch. Its callbacks may be called by any thread, one at a time,
/// with or without the GIL, and wait as long as it takes; Ctrl-C ends a wait of the main thread with
/// EINTR and stays pending.
void export_stream(std::shared_ptr<SharedConsumer> consumer, ArrowText text, ArrowArrayStream* out);

}  // namespace pwalk::bindings
