// Bytes that a hostile producer could publish as a batch: refused, or readable to the last row.
#include "schema/batch_check_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  pwalk::schema::testing::batch_check_fuzz({data, size});
  return 0;
}
