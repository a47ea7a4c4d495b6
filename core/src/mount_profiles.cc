#include "mount_profiles.h"

#include <array>

#include "metadata_server.h"
#include "tuning_profile.h"

namespace pwalk {
namespace {

struct MagicNumber {
  std::uint64_t magic;
  Profile profile;
};
// linux/magic.h and the clients' own sources.
constexpr std::array kMagicNumbers{
    MagicNumber{0x6969, Profile::nfs},        MagicNumber{0x0BD00BD0, Profile::lustre},
    MagicNumber{0x19830326, Profile::beegfs}, MagicNumber{0x47504653, Profile::gpfs},
    MagicNumber{0x00C36400, Profile::cephfs}, MagicNumber{0xFF534D42, Profile::smb},
    MagicNumber{0xFE534D42, Profile::smb},    MagicNumber{0x517B, Profile::smb},
    MagicNumber{0x65735546, Profile::fuse},   MagicNumber{0x01021997, Profile::fuse},
};

}  // namespace

Profile profile_of_mount(const std::string& filesystem, std::uint64_t magic) {
  if (!filesystem.empty()) return profile_of_filesystem(filesystem);
  for (const MagicNumber& known : kMagicNumbers)
    if (known.magic == magic) return known.profile;
  return Profile::local;
}

MountTuning MountProfiles::tuning_of(std::uint32_t root, const Identity& directory, int fd) {
  const PlannedRoot& planned = plan_.roots[root];
  const bool by_mount = directory.mount != 0 && planned.mount_id != 0;
  const bool at_home = by_mount ? directory.mount == planned.mount_id : directory.device == planned.device;
  if (at_home || !directory.known) return {planned.profile, planned.coherence, planned.split_names, planned.queue_by_server};
  const Key key{root, by_mount ? directory.mount : directory.device};
  const std::lock_guard lock(mutex_);
  const auto found = known_.find(key);
  if (found != known_.end()) return found->second.tuning;
  return known_.emplace(key, look_up(directory, fd)).first->second.tuning;
}

MountProfiles::Known MountProfiles::look_up(const Identity& directory, int fd) const {
  const KernelOptions& asked = plan_.options.kernel;
  Known known;
  if (const auto table = MountTable::read(calls_))
    if (const Mount* mount = table->find(directory.mount, directory.device))
      known.told.mount = mount->point, known.told.filesystem = mount->filesystem;
  MountTuning& tuning = known.tuning;
  if (asked.profile != Profile::automatic)
    tuning.profile = asked.profile;
  else if (asked.detect_filesystem)
    tuning.profile = profile_of_mount(known.told.filesystem, known.told.filesystem.empty() ? calls_.filesystem_magic(fd) : 0);
  const ThreadOptions& threads = plan_.options.threads;
  if (threads.work_stealing) tuning.split_names = pwalk::tuning_of(tuning.profile).split_names;
  tuning.queue_by_server = threads.work_stealing && threads.metadata_queues && has_metadata_servers(tuning.profile);
  Coherence coherence = plan_.options.attributes.coherence;
  if (coherence == Coherence::by_profile && asked.use_o_direct) coherence = Coherence::force;
  tuning.coherence = coherence == Coherence::by_profile ? pwalk::tuning_of(tuning.profile).coherence : coherence;
  known.told.profile = OptionValue<Profile>::print(tuning.profile);
  return known;
}

std::vector<MountStats> MountProfiles::entered(std::uint32_t root) const {
  std::vector<MountStats> mounts;
  const std::lock_guard lock(mutex_);
  for (const auto& [key, known] : known_)
    if (key.first == root) mounts.push_back(known.told);
  return mounts;
}

}  // namespace pwalk
