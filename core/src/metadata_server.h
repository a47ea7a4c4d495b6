#pragma once

#include <cstdint>
#include <optional>

#include "pwalk/scan_options.h"
#include "sys/calls.h"

namespace pwalk {

/// Whether file systems of this kind spread their directories over metadata servers and
/// their clients tell which.
bool has_metadata_servers(Profile profile);

/// The metadata server of a directory: Lustre's MDT index, BeeGFS's owner node. One ioctl on
/// an open directory, which the client answers without asking a server. nullopt: it cannot
/// be told.
std::optional<std::uint32_t> metadata_server_of(const sys::Calls& calls, int directory, Profile profile);

}  // namespace pwalk
