#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "pwalk/base/result.h"
#include "pwalk/image/scan_facts.h"

namespace pwalk::image {

std::vector<std::byte> encode_facts(const ScanFacts& facts);
/// EPROTO: not a ScanFacts FlatBuffer, or without what it must have. Bytes at a multiple of 8.
Result<ScanFacts> decode_facts(std::span<const std::byte> bytes);

}  // namespace pwalk::image
