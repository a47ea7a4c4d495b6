#include "metadata_server.h"

#include "stripe_layout.h"

namespace pwalk {

bool has_metadata_servers(Profile profile) { return profile == Profile::lustre || profile == Profile::beegfs; }

std::optional<std::uint32_t> metadata_server_of(const sys::Calls& calls, int directory, Profile profile) {
  if (profile == Profile::lustre) {
    int index = 0;
    if (calls.ioctl(directory, kLustreGetMdtIndex, &index) >= 0 && index >= 0) return std::uint32_t(index);
  } else if (profile == Profile::beegfs) {
    BeegfsEntryInfo info{};
    if (calls.ioctl(directory, kBeegfsGetEntryInfo, &info) >= 0) return info.owner;
  }
  return std::nullopt;
}

}  // namespace pwalk
