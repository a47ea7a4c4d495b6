#include "mount_profiles.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "support/tree_builder.h"
#include "tuning_profile.h"
#include "walk_once.h"

namespace pwalk::testing {
namespace {

using schema::Column;

/// mountinfo lines as the clients' documentation and bug reports show them.
struct Fixture {
  const char* line;
  Profile profile;
  Coherence coherence;
};
constexpr Fixture kFixtures[] = {
    {"30 1 8:1 / /f rw,relatime shared:1 - ext4 /dev/sda1 rw", Profile::local, Coherence::normal},
    {"30 1 0:29 / /f rw shared:5 - xfs /dev/nvme0n1 rw,attr2", Profile::local, Coherence::normal},
    {"30 1 0:45 / /f rw,relatime shared:180 - nfs filer:/home rw,vers=3,rsize=1048576", Profile::nfs, Coherence::lazy},
    {"30 1 0:46 / /f rw,relatime - nfs4 filer:/home rw,vers=4.2,nconnect=16", Profile::nfs, Coherence::lazy},
    {"30 1 0:50 / /f rw,nosuid - lustre 10.0.0.1@o2ib:/scratch rw,flock,lazystatfs", Profile::lustre, Coherence::lazy},
    {"30 1 0:51 / /f rw,relatime - wekafs backend0/default rw,writecache,inode_bits=auto", Profile::weka, Coherence::normal},
    {"30 1 0:52 / /f rw - beegfs beegfs_nodev rw,cfgFile=/etc/beegfs/beegfs-client.conf", Profile::beegfs, Coherence::normal},
    {"30 1 0:53 / /f rw,relatime - gpfs gpfs0 rw,relatime", Profile::gpfs, Coherence::normal},
    {"30 1 0:54 / /f rw,relatime - ceph 10.0.0.2:6789:/ rw,name=admin,acl", Profile::cephfs, Coherence::lazy},
    {"30 1 0:55 / /f rw,relatime - cifs //server/share rw,vers=3.1.1", Profile::smb, Coherence::lazy},
    {"30 1 0:55 / /f rw,relatime - smb3 //server/share rw", Profile::smb, Coherence::lazy},
    {"30 1 0:56 / /f rw,nosuid,nodev - fuse.sshfs user@host:/ rw,user_id=0", Profile::fuse, Coherence::lazy},
    {"30 1 0:57 / /f rw - fuse /dev/fuse rw", Profile::fuse, Coherence::lazy},
    {"30 1 0:58 / /f rw - fuse.lustre none rw", Profile::lustre, Coherence::lazy},
    {"30 1 0:59 / /f rw - fuse.beegfs none rw", Profile::beegfs, Coherence::normal},
    {"30 1 0:60 / /f rw - virtiofs tag rw", Profile::fuse, Coherence::lazy},
    {"30 1 0:61 / /f rw - somethingnew none rw", Profile::local, Coherence::normal},
};

/// A machine whose mountinfo and magic numbers are made up: every mount point is a real
/// directory, and the mounts below `root` are told apart by names of directories.
class MadeUpMounts : public sys::Calls {
 public:
  std::string mountinfo;
  std::uint64_t magic = 0;
  std::string elsewhere;             ///< directories of this name are another mount, number 31
  mutable std::atomic<int> reads{0};
  mutable std::atomic<unsigned> lazy_below{0}, plain_below{0};  ///< stats below it, by their flags

  Result<std::string> read_file(const std::string& path) const override {
    if (path != "/proc/self/mountinfo") return Calls::read_file(path);
    ++reads;
    return mountinfo;
  }
  std::uint64_t filesystem_magic(int) const override { return magic; }
  std::uint64_t filesystem_magic(const char*) const override { return magic; }

 protected:
  int statx_once(int directory, const char* name, int flags, unsigned mask, struct ::statx& out) const override {
    const int result = Calls::statx_once(directory, name, flags, mask, out);
    if (result < 0) return result;
    struct ::stat here {};
    const bool below = !elsewhere.empty() && ::fstat(directory, &here) == 0 && here.st_ino == inode_of_elsewhere_;
    if (below) ++(flags & AT_STATX_DONT_SYNC ? lazy_below : plain_below);
    if (elsewhere == name) inode_of_elsewhere_ = out.stx_ino;
    out.stx_mnt_id = below || elsewhere == name ? 31 : 30;
    out.stx_mask |= STATX_MNT_ID;
    return result;
  }

 private:
  mutable std::atomic<std::uint64_t> inode_of_elsewhere_{0};
};

PlannedRoot root_planned(const sys::Calls& calls, const ScanOptions& options = {}) {
  const auto plan = resolve_plan(options, {"/tmp"}, calls);
  if (plan) return plan->roots.at(0);
  ADD_FAILURE() << plan.error().message();
  return {};
}

TEST(MountProfiles, AreKnownByMountinfo) {
  for (const Fixture& fixture : kFixtures) {
    SCOPED_TRACE(fixture.line);
    MadeUpMounts calls;
    calls.mountinfo = std::string(fixture.line) + "\n";
    const PlannedRoot root = root_planned(calls);
    EXPECT_EQ(root.profile, fixture.profile);
    EXPECT_EQ(root.coherence, fixture.coherence);
    EXPECT_EQ(root.mount, "/f");
  }
}

TEST(MountProfiles, AreKnownByMagicWhereMountinfoSaysNothing) {
  MadeUpMounts calls;  // as in a chroot without /proc
  for (const auto& [magic, profile] : {std::pair{0x6969u, Profile::nfs}, {0x0BD00BD0u, Profile::lustre}, {0x19830326u, Profile::beegfs},
                                       {0x47504653u, Profile::gpfs}, {0x00C36400u, Profile::cephfs}, {0xFE534D42u, Profile::smb},
                                       {0x65735546u, Profile::fuse}, {0xEF53u, Profile::local}}) {
    calls.magic = magic;
    EXPECT_EQ(root_planned(calls).profile, profile) << std::hex << magic;
  }
}

TEST(MountProfiles, AreWhatWasAskedFor) {
  MadeUpMounts calls;
  calls.mountinfo = "30 1 0:45 / /f rw - nfs filer:/home rw\n";
  ScanOptions options;
  options.kernel.detect_filesystem = false;
  EXPECT_EQ(root_planned(calls, options).profile, Profile::local);
  options.kernel.profile = Profile::weka;
  EXPECT_EQ(root_planned(calls, options).profile, Profile::weka);
  options.attributes.coherence = Coherence::force;
  EXPECT_EQ(root_planned(calls, options).coherence, Coherence::force);
}

TEST(MountProfiles, AreExplainedPerRootAndBelowIt) {
  MadeUpMounts calls;
  calls.mountinfo =
      "30 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
      "31 30 0:45 / /home rw - nfs4 filer:/home rw\n"
      "32 30 0:46 / /homestead rw - xfs /dev/sdb rw\n";
  const auto plan = resolve_plan({}, {"/"}, calls);
  ASSERT_TRUE(plan);
  const std::string text = plan->explain();
  EXPECT_NE(text.find("profile local, coherence normal  (ext4 on /)"), text.npos) << text;
  EXPECT_NE(text.find("mount /home"), text.npos) << text;
  EXPECT_NE(text.find("profile nfs, coherence lazy  (nfs4, below /)"), text.npos) << text;
  EXPECT_EQ(text.find("/homestead"), text.npos) << text;
}

TEST(MountProfiles, SayWhetherALargeDirectoryIsSharedByThreads) {
  MadeUpMounts calls;
  const auto said = [&](const ScanOptions& options) {
    const auto plan = resolve_plan(options, {"/"}, calls);
    for (const Decision& decision : plan->decisions)
      if (decision.subject == "idle threads") return decision.choice + "; " + decision.reason;
    return std::string("nothing");
  };
  ScanOptions options;
  options.kernel.profile = Profile::fuse;
  EXPECT_EQ(said(options), "take directories from others, and 8 names at a time of large ones; by profile");
  options.attributes.no_stat = true;
  EXPECT_EQ(said(options), "take directories from others; names alone are read by one thread");
  options.attributes.no_stat = false;
  options.kernel.profile = Profile::nfs;
  EXPECT_EQ(said(options), "take directories from others; these profiles want one thread per directory");
  options.threads.work_stealing = false;
  EXPECT_EQ(said(options), "take nothing from others; --no-work-stealing");
}

TEST(MountProfiles, ChangeWhereAWalkCrossesIntoAnotherMount) {
  const ScratchDirectory tree;
  for (const char* directory : {"here", "there", "there/deeper"}) tree.make_directory(directory);
  for (const char* file : {"here/a", "there/b", "there/c"}) tree.make_file(file);
  MadeUpMounts calls;
  calls.mountinfo = "30 1 8:1 / / rw - ext4 /dev/sda1 rw\n31 30 0:45 / /there rw - nfs4 filer:/home rw\n";
  calls.elsewhere = "there";
  CollectingSink sink;
  const ScanStats stats = walk_once(plain_options(2), {tree.path()}, sink, calls);
  EXPECT_EQ(calls.lazy_below, 3u);  // b, c, deeper
  EXPECT_EQ(calls.plain_below, 0u);
  for (const Row& row : sink.rows)
    EXPECT_EQ((row.entry.flags & schema::kLazy) != 0, row.directory == tree / "there") << row.path();
  ASSERT_EQ(stats.roots.at(0).mounts.size(), 1u);
  EXPECT_EQ(stats.roots[0].mounts[0].mount, "/there");
  EXPECT_EQ(stats.roots[0].mounts[0].filesystem, "nfs4");
  EXPECT_EQ(stats.roots[0].mounts[0].profile, "nfs");
  EXPECT_EQ(calls.reads, 2) << "for the plan, and for the one mount that was entered";
}

}  // namespace
}  // namespace pwalk::testing
