#include "control_memory.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <bit>
#include <new>

#include "memfd.h"

namespace pwalk::ipc {
namespace {

constexpr std::uint32_t kMostSlots = std::uint32_t{1} << 30;

bool power_of_two_within(std::uint32_t value, std::uint32_t most) {
  return std::has_single_bit(value) && value <= most;
}

/// Reads a word once: a scanner can write on, and what was checked must be what is used.
template <class T>
T read_once(const T& word) {
  return __atomic_load_n(&word, __ATOMIC_RELAXED);
}

Result<ScanGeometry> checked_geometry(const ControlHeader& header) {
  if (header.magic != ControlHeader::kMagic) return fail(EPROTO, "the scan's control memory is not pwalk's");
  if (const std::uint32_t version = read_once(header.version); version != kLayoutVersion)
    return fail(EPROTO,
                fmt::format("the scan speaks layout version {}, this program {}", version, kLayoutVersion));
  const ScanGeometry geometry{.lanes = read_once(header.lanes),
                              .slots = read_once(header.slots),
                              .return_slots = read_once(header.return_slots),
                              .pool_bytes = read_once(header.pool_bytes),
                              .scan_id = header.scan_id};
  if (geometry.lanes < 1 || geometry.lanes > kMaxLanes || !power_of_two_within(geometry.slots, kMostSlots) ||
      !power_of_two_within(geometry.return_slots, kMaxReturnSlots) || header.unit_bytes != kUnitBytes ||
      header.block_bytes != kBlockBytes || geometry.pool_bytes == 0 || geometry.pool_bytes % kBlockBytes != 0)
    return fail(EPROTO, "the scan's control memory has an impossible geometry");
  return geometry;
}

}  // namespace

Result<ControlMemory> ControlMemory::create(const ScanGeometry& geometry) {
  const std::size_t bytes = control_bytes(geometry.lanes, geometry.slots);
  auto fd = create_memfd("pwalk-control", bytes);
  if (!fd) return tl::unexpected(fd.error());
  if (auto done = allocate(fd->get(), 0, bytes); !done) return tl::unexpected(done.error());
  auto mapping = Mapping::map(fd->get(), bytes, Access::read_write);
  if (!mapping) return tl::unexpected(mapping.error());
  if (auto done = seal(fd->get(), true); !done) return tl::unexpected(done.error());

  ControlMemory memory;
  memory.fd_ = *std::move(fd);
  memory.mapping_ = *std::move(mapping);
  memory.geometry_ = geometry;
  auto* header = new (memory.mapping_.data()) ControlHeader{};
  header->magic = ControlHeader::kMagic;
  header->version = kLayoutVersion;
  header->lanes = geometry.lanes;
  header->scan_id = geometry.scan_id;
  header->pool_bytes = geometry.pool_bytes;
  header->slots = geometry.slots;
  header->block_bytes = kBlockBytes;
  header->unit_bytes = kUnitBytes;
  header->return_slots = geometry.return_slots;
  return memory;
}

Result<ControlMemory> ControlMemory::open(UniqueFd fd) {
  if (auto sealed = expect_sealed(fd.get(), kLaneHeadsOffset); !sealed) return tl::unexpected(sealed.error());
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return fail_errno("cannot look at the scan's control memory");
  auto mapping = Mapping::map(fd.get(), std::size_t(status.st_size), Access::read_only);
  if (!mapping) return tl::unexpected(mapping.error());

  ControlMemory memory;
  memory.fd_ = std::move(fd);
  memory.mapping_ = *std::move(mapping);
  const auto geometry = checked_geometry(memory.header());
  if (!geometry) return tl::unexpected(geometry.error());
  memory.geometry_ = *geometry;
  if (memory.mapping_.size() < control_bytes(geometry->lanes, geometry->slots))
    return fail(EPROTO, "the scan's control memory is shorter than its geometry says");
  return memory;
}

Result<ConsumerMemory> ConsumerMemory::create(std::uint32_t lanes, std::uint32_t return_slots) {
  const std::size_t bytes = consumer_bytes(lanes, return_slots);
  auto fd = create_memfd("pwalk-consumer", bytes);
  if (!fd) return tl::unexpected(fd.error());
  if (auto done = allocate(fd->get(), 0, bytes); !done) return tl::unexpected(done.error());
  auto mapping = Mapping::map(fd->get(), bytes, Access::read_write);
  if (!mapping) return tl::unexpected(mapping.error());
  if (auto done = seal(fd->get(), false); !done) return tl::unexpected(done.error());

  ConsumerMemory memory;
  memory.fd_ = *std::move(fd);
  memory.mapping_ = *std::move(mapping);
  memory.lanes_ = lanes;
  memory.return_slots_ = return_slots;
  auto* header = new (memory.mapping_.data()) ConsumerHeader{};
  header->magic = ConsumerHeader::kMagic;
  header->version = kLayoutVersion;
  header->lanes = lanes;
  return memory;
}

Result<ConsumerMemory> ConsumerMemory::open(UniqueFd fd, const ScanGeometry& geometry) {
  const std::size_t bytes = consumer_bytes(geometry.lanes, geometry.return_slots);
  if (auto sealed = expect_sealed(fd.get(), bytes); !sealed) return tl::unexpected(sealed.error());
  auto mapping = Mapping::map(fd.get(), bytes, Access::read_write);
  if (!mapping) return tl::unexpected(mapping.error());
  if (auto kept = mapping->keep_from_children(); !kept) return tl::unexpected(kept.error());

  ConsumerMemory memory;
  memory.mapping_ = *std::move(mapping);
  memory.lanes_ = geometry.lanes;
  memory.return_slots_ = geometry.return_slots;
  const ConsumerHeader& header = memory.header();
  if (header.magic != ConsumerHeader::kMagic || header.version != kLayoutVersion ||
      header.lanes != geometry.lanes)
    return fail(EPROTO, "the consumer memory that the scan sent does not match the scan");
  return memory;
}

}  // namespace pwalk::ipc
