// Packets, descriptors and hang-ups of peers at the scan's socket: answered or shown out, and nothing of them left.
#include "ipc/attach_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  pwalk::ipc::testing::attach_fuzz({data, size});
  return 0;
}
