#pragma once

#include "layout.h"
#include "mapping.h"
#include "pwalk/base/unique_fd.h"

namespace pwalk::ipc {

/// What the control memory says of the scan's shape; checked once, then private.
struct ScanGeometry {
  std::uint32_t lanes = 1;
  std::uint32_t slots = 64;         ///< descriptors per lane; a power of two
  std::uint32_t return_slots = 64;  ///< of each consumer's return ring; a power of two
  std::uint64_t pool_bytes = 0;
  ScanId scan_id{};
};

/// The memory that the scanner writes and every consumer reads: state, heads,
/// descriptor rings. Sealed against any other writer.
class ControlMemory {
 public:
  /// Scanner: makes, fills in and seals it.
  static Result<ControlMemory> create(const ScanGeometry& geometry);
  /// Consumer: maps it read-only and checks every figure that addresses depend on. EPROTO.
  static Result<ControlMemory> open(UniqueFd fd);

  int fd() const { return fd_.get(); }
  const ScanGeometry& geometry() const { return geometry_; }

  const ControlHeader& header() const { return *reinterpret_cast<const ControlHeader*>(mapping_.data()); }
  const Word64& head(std::uint32_t lane) const { return heads()[lane].head; }
  const Slot* ring(std::uint32_t lane) const {
    return reinterpret_cast<const Slot*>(mapping_.data() + rings_offset(geometry_.lanes)) +
           std::size_t(lane) * geometry_.slots;
  }

  // The scanner's side; a consumer's mapping would fault.
  ControlHeader& writable_header() { return *reinterpret_cast<ControlHeader*>(mapping_.data()); }
  LaneWriter<Atomics> writer(std::uint32_t lane) {
    return {const_cast<Word64&>(head(lane)), const_cast<Slot*>(ring(lane)), geometry_.slots};
  }

 private:
  const LaneHead* heads() const {
    return reinterpret_cast<const LaneHead*>(mapping_.data() + kLaneHeadsOffset);
  }

  UniqueFd fd_;
  Mapping mapping_;
  ScanGeometry geometry_;
};

/// The memory that one consumer and the scanner share, made and sealed by the
/// scanner: a consumer that could truncate it could kill the scanner by SIGBUS.
class ConsumerMemory {
 public:
  /// Scanner. The descriptor is for sending; see close_descriptor().
  static Result<ConsumerMemory> create(std::uint32_t lanes, std::uint32_t return_slots);
  /// Consumer: maps it, hidden from forked children. EPROTO.
  static Result<ConsumerMemory> open(UniqueFd fd, const ScanGeometry& geometry);

  int fd() const { return fd_.get(); }
  void close_descriptor() { fd_.reset(); }

  ConsumerHeader& header() const { return *reinterpret_cast<ConsumerHeader*>(mapping_.data()); }
  Word64& cursor(std::uint32_t lane) const {
    return reinterpret_cast<Word64*>(mapping_.data() + kCursorsOffset)[lane];
  }
  Word64* return_ring() const {
    return reinterpret_cast<Word64*>(mapping_.data() + return_ring_offset(lanes_));
  }
  std::uint32_t return_slots() const { return return_slots_; }

  ReturnReader<Atomics> return_reader() const {
    return {header().returned, header().drained, return_ring(), return_slots_};
  }
  ReturnWriter<Atomics> return_writer() const { return {header().returned, return_ring(), return_slots_}; }

  /// In a forked child: forget it, there is nothing mapped.
  void abandon() { mapping_.abandon(); }

 private:
  UniqueFd fd_;
  Mapping mapping_;
  std::uint32_t lanes_ = 0, return_slots_ = 0;
};

}  // namespace pwalk::ipc
