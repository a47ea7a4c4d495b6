#include "tuning_profile.h"

#include <array>

namespace pwalk {
namespace {

constexpr std::string_view kCores = "one per CPU while caches are warm, more where calls sleep";
constexpr std::string_view kSlots = "calls wait for a server; NFS has 64 request slots by default";
constexpr std::string_view kLatency = "calls wait for a server; sleeping threads are cheap";

// DONT_SYNC where the client has the attributes from the listing or the lookup
// anyway, and asking again would cost a round trip (Lustre: a glimpse per stripe).
constexpr std::array kTable{
    TuningProfile{Profile::local, 0, 0, 64, Coherence::normal, 256, false, false, kCores},
    TuningProfile{Profile::nfs, 32, 128, 256, Coherence::lazy, 0, false, false, kSlots},
    TuningProfile{Profile::lustre, 64, 256, 64, Coherence::lazy, 0, false, false, kLatency},
    TuningProfile{Profile::weka, 64, 256, 64, Coherence::normal, 16, true, true, kLatency},
    TuningProfile{Profile::beegfs, 64, 256, 64, Coherence::normal, 16, true, true, kLatency},
    TuningProfile{Profile::gpfs, 64, 256, 64, Coherence::normal, 0, false, false, kLatency},
    TuningProfile{Profile::cephfs, 64, 256, 64, Coherence::lazy, 0, false, false, kLatency},
    TuningProfile{Profile::smb, 64, 256, 64, Coherence::lazy, 0, true, true, kLatency},
    TuningProfile{Profile::fuse, 64, 256, 64, Coherence::lazy, 8, true, true, kLatency},
};

struct NamedType {
  std::string_view filesystem;
  Profile profile;
};
constexpr std::array kTypes{
    NamedType{"nfs", Profile::nfs},       NamedType{"nfs4", Profile::nfs},      NamedType{"lustre", Profile::lustre},
    NamedType{"wekafs", Profile::weka},   NamedType{"beegfs", Profile::beegfs}, NamedType{"gpfs", Profile::gpfs},
    NamedType{"mmfs", Profile::gpfs},     NamedType{"ceph", Profile::cephfs},   NamedType{"cifs", Profile::smb},
    NamedType{"smb3", Profile::smb},      NamedType{"smbfs", Profile::smb},     NamedType{"fuse", Profile::fuse},
    NamedType{"fuseblk", Profile::fuse},  NamedType{"virtiofs", Profile::fuse}, NamedType{"9p", Profile::fuse},
};

}  // namespace

const TuningProfile& tuning_of(Profile profile) {
  for (const TuningProfile& row : kTable)
    if (row.profile == profile) return row;
  return kTable.front();
}

Profile profile_of_filesystem(std::string_view filesystem) {
  if (filesystem.substr(0, 5) == "fuse.") {
    // Clients of parallel file systems that go through FUSE name themselves so.
    const Profile inner = profile_of_filesystem(filesystem.substr(5));
    return inner == Profile::local ? Profile::fuse : inner;
  }
  for (const NamedType& type : kTypes)
    if (type.filesystem == filesystem) return type.profile;
  return Profile::local;
}

}  // namespace pwalk
