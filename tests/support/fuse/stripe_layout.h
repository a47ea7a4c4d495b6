#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

/// Answers in the shape of Lustre's and BeeGFS's own, made up: what
/// getxattr("lustre.lov") and the directory ioctls give (lustre_user.h and
/// beegfs_ioctl_functions.h of those projects describe the layouts).
namespace pwalk::fuse {

inline constexpr unsigned kLustreMdtIndexIoctl = 0x800466AFu;         ///< LL_IOC_GET_MDTIDX -> int
inline constexpr unsigned kLustreDirectoryStripeIoctl = 0xC03066F1u;  ///< LL_IOC_LMV_GETSTRIPE -> 48 bytes
inline constexpr unsigned kBeegfsStripeIoctl = 0x800C6619u;           ///< BEEGFS_IOC_GET_STRIPEINFO
inline constexpr unsigned kBeegfsEntryIoctl = 0x8044661Fu;            ///< BEEGFS_IOC_GETENTRYINFO

enum class Layout { none, v1, v3, composite, cut_short, oversized_count, far_component };
inline constexpr std::array<std::string_view, 7> kLayoutNames{
    "none", "v1", "v3", "composite", "cut_short", "oversized_count", "far_component"};

/// The bytes of `lustre.lov`. v1: 4 stripes of 1 MiB; v3: 2 of 4 MiB in pool
/// `flash`; composite: a v1 and a v3 component. The last three are broken:
/// 10 bytes only; a stripe count that leads past the end; a component that does.
std::string lustre_layout(Layout layout);

/// 48 bytes: a directory striped over `count` MDTs, the first being `mdt`.
std::string lustre_directory_layout(std::uint32_t count, std::uint32_t mdt);

/// 12 bytes: pattern, chunk size, targets.
std::string beegfs_stripe(std::uint32_t chunk, std::uint16_t targets);

/// 68 bytes, the first four of them the owner, a metadata server.
std::string beegfs_entry(std::uint32_t owner);

}  // namespace pwalk::fuse
