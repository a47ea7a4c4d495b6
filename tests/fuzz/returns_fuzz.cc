// Memory that hostile consumers write, on the scanner's side: thrown out, and nobody else notices.
#include "ipc/returns_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  pwalk::ipc::testing::returns_fuzz({data, size});
  return 0;
}
