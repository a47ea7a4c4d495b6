#include "group_memory.h"

#include <new>

#include "memfd.h"

namespace pwalk::ipc {

Result<GroupMemory> GroupMemory::create(const ScanGeometry& geometry) {
  const std::size_t bytes = group_bytes(geometry.lanes, geometry.slots);
  auto fd = create_memfd("pwalk-group", bytes);
  if (!fd) return tl::unexpected(fd.error());
  if (auto done = allocate(fd->get(), 0, bytes); !done) return tl::unexpected(done.error());
  auto mapping = Mapping::map(fd->get(), bytes, Access::read_write);
  if (!mapping) return tl::unexpected(mapping.error());
  if (auto done = seal(fd->get(), false); !done) return tl::unexpected(done.error());

  GroupMemory memory;
  memory.fd_ = *std::move(fd);
  memory.mapping_ = *std::move(mapping);
  memory.lanes_ = geometry.lanes;
  memory.slots_ = geometry.slots;
  auto* header = new (memory.mapping_.data()) GroupHeader{};
  header->magic = GroupHeader::kMagic;
  header->version = kLayoutVersion;
  header->lanes = geometry.lanes;
  return memory;
}

Result<GroupMemory> GroupMemory::open(UniqueFd fd, const ScanGeometry& geometry) {
  const std::size_t bytes = group_bytes(geometry.lanes, geometry.slots);
  if (auto sealed = expect_sealed(fd.get(), bytes); !sealed) return tl::unexpected(sealed.error());
  auto mapping = Mapping::map(fd.get(), bytes, Access::read_write);
  if (!mapping) return tl::unexpected(mapping.error());
  if (auto kept = mapping->keep_from_children(); !kept) return tl::unexpected(kept.error());

  GroupMemory memory;
  memory.mapping_ = *std::move(mapping);
  memory.lanes_ = geometry.lanes;
  memory.slots_ = geometry.slots;
  const GroupHeader& header = memory.header();
  if (header.magic != GroupHeader::kMagic || header.version != kLayoutVersion ||
      header.lanes != geometry.lanes)
    return fail(EPROTO, "the group's ledger that the scan sent does not match the scan");
  return memory;
}

}  // namespace pwalk::ipc
