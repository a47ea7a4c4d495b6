#pragma once

#include <fcntl.h>
#include <sys/sysmacros.h>

#include <atomic>
#include <string_view>

#include "directory_node.h"
#include "pwalk/scan_options.h"
#include "pwalk/schema/entry.h"
#include "sys/calls.h"

namespace pwalk {

/// Asks for attributes: statx, or fstatat where statx is missing or not wanted.
/// Either way the answer is a struct statx whose stx_mask says what is in it.
/// Shared by all workers.
class AttributeReader {
 public:
  AttributeReader(const sys::Calls& calls, bool use_statx) : calls_(calls), use_statx_(use_statx) {}

  /// Attributes of `name` in `directory`. 0 or a negated errno.
  /// `flags`: of statx(2), see statx_flags().
  ///
  /// Inline, as are all frames between a worker's loop and the system call: kernels
  /// clear the CPU's return predictions, so that each frame costs a mispredicted return.
  int read(int directory, const char* name, int flags, unsigned mask, struct ::statx& out) const {
    if (use_statx()) {
      const int result = calls_.statx(directory, name, flags, mask, out);
      if (result != -ENOSYS) [[likely]]
        return result;
      give_up_statx();
    }
    return read_by_stat(directory, name, flags, out);
  }

  /// What asks, for the summary; "" if nothing is asked.
  const char* name(unsigned mask) const { return mask == 0 ? "" : use_statx() ? "statx" : "fstatat"; }

  /// Which object an open descriptor is. `known` is false if even that cannot be told.
  Identity identify(int fd) const;

  /// Whether answers can be out of date under this coherence.
  bool is_lazy(Coherence coherence) const { return coherence == Coherence::lazy && use_statx(); }

 private:
  int read_by_stat(int directory, const char* name, int flags, struct ::statx& out) const;
  bool use_statx() const { return use_statx_.load(std::memory_order_relaxed); }
  void give_up_statx() const { use_statx_.store(false, std::memory_order_relaxed); }

  const sys::Calls& calls_;
  /// False from the first ENOSYS on. Relaxed: who still sees true asks once in vain.
  mutable std::atomic<bool> use_statx_;
};

/// Flags for statx(2): never through an automount point, through a link if asked.
inline int statx_flags(bool follow_link, Coherence coherence) {
  int flags = AT_NO_AUTOMOUNT | (follow_link ? 0 : AT_SYMLINK_NOFOLLOW);
  if (coherence == Coherence::lazy) flags |= AT_STATX_DONT_SYNC;
  if (coherence == Coherence::force) flags |= AT_STATX_FORCE_SYNC;
  return flags;
}

inline Identity identity_of(const struct ::statx& answer) {
  return {.device = makedev(answer.stx_dev_major, answer.stx_dev_minor),
          .inode = answer.stx_ino,
          .mount = answer.stx_mask & STATX_MNT_ID ? answer.stx_mnt_id : 0,
          .known = (answer.stx_mask & STATX_INO) != 0};
}

/// Fills an entry's columns from an answer: those that are wanted and were given.
void describe(const struct ::statx& answer, schema::ColumnSet wanted, schema::Entry& entry);

/// The smallest statx mask that yields these columns; 0 if none needs a stat.
/// Where it is not 0 it has what walking itself needs: type, inode and mount.
unsigned statx_mask_for(schema::ColumnSet columns);

/// find's letter for the type bits of a mode, '?' if there is none.
inline char letter_of_mode(unsigned mode) {
  constexpr std::string_view letters = "?pc?d?b?f?l?s???";
  return letters[mode >> 12 & 15];
}
/// find's letter for a DT_* value, '?' for DT_UNKNOWN and nonsense.
inline char letter_of_dirent(unsigned char type) { return type < 16 ? letter_of_mode(unsigned(type) << 12) : '?'; }

}  // namespace pwalk
