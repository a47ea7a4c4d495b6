#pragma once

#include <cstddef>

#include "control_memory.h"
#include "group_ledger.h"
#include "layout.h"
#include "mapping.h"
#include "pwalk/base/result.h"
#include "pwalk/base/unique_fd.h"

namespace pwalk::ipc {

enum class GroupState : std::uint32_t {
  open = 0,
  over = 1,    ///< the stream has ended, and every batch was concluded or given up; told to each member that asks
  closed = 2,  ///< evicted, or dissolved for want of members
};

/// First page of a group's ledger; drawn in README.md.
struct GroupHeader {
  static constexpr std::array<char, 8> kMagic{'P', 'W', 'A', 'L', 'K', 'L', 'D', 'G'};

  std::array<char, 8> magic;
  std::uint32_t version;
  std::uint32_t lanes;

  alignas(kFalseSharingRange) Word32 state;  ///< GroupState; scanner, release; members, acquire
};
static_assert(std::is_standard_layout_v<GroupHeader>);
static_assert(offsetof(GroupHeader, state) == 128 && sizeof(GroupHeader) == 256);

/// A lane's front, alone with its neighbour line: every member moves it.
struct alignas(kFalseSharingRange) GroupFront {
  Word64 front;  ///< LedgerFront
};
static_assert(sizeof(GroupFront) == 128);

/// Ledger memory: header, fronts from kFrontsOffset, a ring of words per lane after them.
inline constexpr std::size_t kFrontsOffset = 256;
constexpr std::size_t ledgers_offset(std::uint32_t lanes) {
  return align_up(kFrontsOffset + lanes * sizeof(GroupFront), 4096);
}
constexpr std::size_t group_bytes(std::uint32_t lanes, std::uint32_t slots) {
  return align_up(ledgers_offset(lanes) + std::size_t(lanes) * slots * sizeof(Word64), 4096);
}

/// The memory that the members of one group and the scanner share, made and sealed
/// by the scanner; all of them write.
class GroupMemory {
 public:
  /// Scanner.
  static Result<GroupMemory> create(const ScanGeometry& geometry);
  /// Member: maps it, hidden from forked children. EPROTO.
  static Result<GroupMemory> open(UniqueFd fd, const ScanGeometry& geometry);

  int fd() const { return fd_.get(); }
  GroupHeader& header() const { return *reinterpret_cast<GroupHeader*>(mapping_.data()); }
  LedgerLane<Atomics> lane(std::uint32_t number) const {
    auto* fronts = reinterpret_cast<GroupFront*>(mapping_.data() + kFrontsOffset);
    auto* words = reinterpret_cast<Word64*>(mapping_.data() + ledgers_offset(lanes_));
    return {fronts[number].front, words + std::size_t(number) * slots_, slots_};
  }
  std::uint32_t lanes() const { return lanes_; }

  /// In a forked child: forget it, there is nothing mapped.
  void abandon() { mapping_.abandon(); }

 private:
  UniqueFd fd_;
  Mapping mapping_;
  std::uint32_t lanes_ = 0, slots_ = 0;
};

}  // namespace pwalk::ipc
