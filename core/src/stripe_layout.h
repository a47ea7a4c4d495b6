#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace pwalk {

/// How a parallel file system spreads a file over its storage targets.
struct StripeLayout {
  std::uint32_t count = 0;  ///< targets
  std::uint64_t size = 0;   ///< bytes on one before the next
  std::string_view pool;    ///< borrowed from the parsed bytes; empty: none
};

/// What Lustre's client gives as the extended attribute `lustre.lov`: a plain layout
/// (v1, v3), or a composite one, of which the last component that has objects counts, as
/// for `lfs getstripe`. Host-endian. Nothing is believed that lies beyond the bytes;
/// nullopt: it is no such layout, or a damaged one.
std::optional<StripeLayout> parse_lustre_layout(std::span<const std::byte> bytes);

/// The answer of BeeGFS's ioctl GET_STRIPEINFO.
struct BeegfsStripeInfo {
  std::uint32_t pattern;
  std::uint32_t chunk_bytes;
  std::uint16_t targets;
  std::uint16_t padding;
};
static_assert(sizeof(BeegfsStripeInfo) == 12);
inline constexpr unsigned long kBeegfsGetStripeInfo = 0x800C6619;

/// Of BeeGFS's ioctl GETENTRYINFO, on a directory: the first word names its metadata server.
struct BeegfsEntryInfo {
  std::uint32_t owner;
  std::byte rest[64];
};
static_assert(sizeof(BeegfsEntryInfo) == 68);
inline constexpr unsigned long kBeegfsGetEntryInfo = 0x8044661F;

/// Lustre's ioctl LL_IOC_GET_MDTIDX, on a directory: an int, its metadata target.
inline constexpr unsigned long kLustreGetMdtIndex = 0x800466AF;

}  // namespace pwalk
