// Bytes that a server could give as `lustre.lov`: refused, or a layout whose pool lies within them.
#include <cstdlib>

#include "stripe_layout.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::uint8_t> bytes(data, size);
  const auto layout = pwalk::parse_lustre_layout(std::as_bytes(bytes));
  if (!layout || layout->pool.empty()) return 0;
  const auto* pool = reinterpret_cast<const std::uint8_t*>(layout->pool.data());
  if (pool < data || pool + layout->pool.size() > data + size) std::abort();
  return 0;
}
