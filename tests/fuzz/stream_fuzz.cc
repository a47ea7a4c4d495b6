// Memory that a hostile scanner writes, on the consumer's side: an error, or batches whose every row can be read.
#include "ipc/stream_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  pwalk::ipc::testing::stream_fuzz({data, size});
  return 0;
}
