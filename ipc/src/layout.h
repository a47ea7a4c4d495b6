#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "atomics.h"
#include "bell.h"
#include "figures_page.h"
#include "lane_ring.h"
#include "pwalk/base/cache_line.h"
#include "return_ring.h"
#include "starvation_gate.h"

/// Everything that lies in shared memory, byte for byte; drawn in README.md.
/// Fixed width, no pointers, little endian, made by the scanner alone.
namespace pwalk::ipc {

inline constexpr std::uint32_t kLayoutVersion = 3;
inline constexpr std::uint32_t kUnitBytes = 4096;
inline constexpr std::uint32_t kBlockBytes = 256 * 1024;
inline constexpr std::uint32_t kUnitsPerBlock = kBlockBytes / kUnitBytes;

inline constexpr std::uint32_t kMaxLanes = 256;
inline constexpr std::uint32_t kMaxReturnSlots = 4096;

using Atomics = StdAtomics;
using Word64 = Atomics::Word<std::uint64_t>;
using Word32 = Atomics::Word<std::uint32_t>;
using Slot = DescriptorSlot<Atomics>;
using ScanId = std::array<std::uint8_t, 16>;

/// How the stream stands; written once more at its end.
enum class StreamState : std::uint32_t { running = 0, complete = 1, cut_short = 2 };

/// Sums of file sizes stop at 2^64-1; in whatever order, they then agree.
constexpr std::uint64_t saturating_add(std::uint64_t a, std::uint64_t b) {
  return a + b < a ? ~std::uint64_t{0} : a + b;
}

/// What the whole stream amounted to. Plain words: written before the state's
/// release store, read after its acquire.
struct EndFigures {
  std::uint64_t batches = 0, rows = 0, records = 0, file_bytes = 0, content_hash = 0;
  friend bool operator==(const EndFigures&, const EndFigures&) = default;
};

/// First page of the control memory: the scanner writes, consumers read.
struct ControlHeader {
  static constexpr std::array<char, 8> kMagic{'P', 'W', 'A', 'L', 'K', 'C', 'T', 'L'};

  std::array<char, 8> magic;
  std::uint32_t version;
  std::uint32_t lanes;
  ScanId scan_id;
  std::uint64_t pool_bytes;
  std::uint32_t slots;  ///< descriptors per lane; a power of two
  std::uint32_t block_bytes;
  std::uint32_t unit_bytes;
  std::uint32_t return_slots;  ///< of every consumer's return ring; a power of two

  alignas(kFalseSharingRange) Word32 state;  ///< StreamState; release, partner: StreamReader's acquire
  alignas(kFalseSharingRange) StarvedWord<Atomics> starved;
  alignas(kFalseSharingRange) EndFigures end;
  alignas(kFalseSharingRange) Word64 entries;  ///< live figures, for people: relaxed
  Word64 errors;
  alignas(kFalseSharingRange) FiguresPage<Atomics> figures;
};
static_assert(std::is_standard_layout_v<ControlHeader>);
static_assert(offsetof(ControlHeader, scan_id) == 16 && offsetof(ControlHeader, pool_bytes) == 32);
static_assert(offsetof(ControlHeader, state) == 128 && offsetof(ControlHeader, starved) == 256);
static_assert(offsetof(ControlHeader, end) == 384 && offsetof(ControlHeader, entries) == 512);
static_assert(offsetof(ControlHeader, figures) == 640 && sizeof(ControlHeader) == 896);

/// A lane's head, alone with its neighbour line: every consumer polls it.
struct alignas(kFalseSharingRange) LaneHead {
  Word64 head;  ///< release in LaneWriter::publish, acquire in LaneReader::take
};
static_assert(sizeof(LaneHead) == 128);

/// Control memory: header, heads from kLaneHeadsOffset, rings after them.
inline constexpr std::size_t kLaneHeadsOffset = 1024;
constexpr std::size_t rings_offset(std::uint32_t lanes) {
  return align_up(kLaneHeadsOffset + lanes * sizeof(LaneHead), 4096);
}
constexpr std::size_t control_bytes(std::uint32_t lanes, std::uint32_t slots) {
  return align_up(rings_offset(lanes) + std::size_t(lanes) * slots * sizeof(Slot), 4096);
}

/// What the scanner tells one member of a group beside the stream.
enum class MemberNotice : std::uint32_t {
  none = 0,
  end = 1,     ///< nothing more will come to it
  jammed = 2,  ///< it holds most of a full pool, and everybody waits for more
};

/// A consumer's own memory: made and sealed by the scanner, written by both,
/// believed by neither beyond what is said at each word.
struct ConsumerHeader {
  static constexpr std::array<char, 8> kMagic{'P', 'W', 'A', 'L', 'K', 'C', 'O', 'N'};

  std::array<char, 8> magic;
  std::uint32_t version;
  std::uint32_t lanes;

  alignas(kFalseSharingRange) BellWords<Atomics> bell;
  Word32 notice;  ///< MemberNotice; scanner, release; the member takes it by exchange, acquire
  alignas(kFalseSharingRange) Word64 returned;  ///< consumer: entries pushed to the return ring
  alignas(kFalseSharingRange) Word64 drained;   ///< scanner: entries it has taken from there
};
static_assert(std::is_standard_layout_v<ConsumerHeader>);
static_assert(offsetof(ConsumerHeader, bell) == 128 && offsetof(ConsumerHeader, notice) == 136 &&
              offsetof(ConsumerHeader, returned) == 256);
static_assert(offsetof(ConsumerHeader, drained) == 384 && sizeof(ConsumerHeader) == 512);

/// Consumer memory: header, one cursor per lane from kCursorsOffset, the return ring after them.
inline constexpr std::size_t kCursorsOffset = 512;
constexpr std::size_t return_ring_offset(std::uint32_t lanes) {
  return align_up(kCursorsOffset + lanes * sizeof(Word64), 4096);
}
constexpr std::size_t consumer_bytes(std::uint32_t lanes, std::uint32_t return_slots) {
  return align_up(return_ring_offset(lanes) + return_slots * sizeof(Word64), 4096);
}

}  // namespace pwalk::ipc
