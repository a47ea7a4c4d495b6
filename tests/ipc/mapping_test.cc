#include "mapping.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control_memory.h"
#include "memfd.h"

namespace pwalk::ipc {
namespace {

TEST(MappingTest, LiesWhereItWasAskedTo) {
  const auto fd = create_memfd("test", 4096 * 3);
  ASSERT_TRUE(fd);
  for (const std::size_t alignment : {std::size_t{4096}, std::size_t{65536}, kHugePage, 4 * kHugePage}) {
    const auto mapping = Mapping::map(fd->get(), 4096 * 3, Access::read_write, alignment);
    ASSERT_TRUE(mapping) << mapping.error().message();
    EXPECT_EQ(std::uintptr_t(mapping->data()) % alignment, 0u);
    EXPECT_EQ(mapping->size(), 4096u * 3);
    mapping->data()[4096 * 3 - 1] = std::byte{1};
    EXPECT_TRUE(mapping->contains(mapping->data()));
    EXPECT_FALSE(mapping->contains(mapping->data() + mapping->size()));
  }
}

TEST(MappingTest, ARefusedMappingIsAnErrorAndLeavesNothing) {
  const UniqueFd closed;
  EXPECT_FALSE(Mapping::map(closed.get(), 4096, Access::read_only));
  const auto fd = create_memfd("test", 4096);
  EXPECT_FALSE(Mapping::map(fd->get(), std::size_t{1} << 60, Access::read_only));
}

TEST(MappingTest, WhatIsKeptFromChildrenIsNotMappedThere) {
  const auto fd = create_memfd("test", 4096);
  auto mapping = Mapping::map(fd->get(), 4096, Access::read_write);
  ASSERT_TRUE(mapping && mapping->keep_from_children());
  const pid_t child = ::fork();
  if (child == 0) {
    unsigned char there = 0;
    const bool mapped = ::mincore(mapping->data(), 4096, &there) == 0;
    mapping->abandon();
    ::_exit(mapped ? 1 : 0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST(MemfdTest, ASealIsAskedForBeforeMapping) {
  const auto fd = create_memfd("test", 8192);
  ASSERT_TRUE(fd);
  EXPECT_EQ(expect_sealed(fd->get(), 4096).error().code, EPROTO);
  ASSERT_TRUE(seal(fd->get(), false));
  EXPECT_TRUE(expect_sealed(fd->get(), 8192));
  EXPECT_EQ(expect_sealed(fd->get(), 8193).error().code, EPROTO);
  const UniqueFd file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(expect_sealed(file.get(), 0).error().code, EPROTO);
  EXPECT_FALSE(create_memfd("test", ~std::uint64_t{0}));
}

/// What a consumer believes of a control memory that it was sent.
class ReceivedMemoryTest : public ::testing::Test {
 protected:
  ReceivedMemoryTest()
      : memory_(*ControlMemory::create({.lanes = 2, .slots = 64, .pool_bytes = 8 * kBlockBytes})) {}
  Result<ControlMemory> receive() { return ControlMemory::open(UniqueFd(::dup(memory_.fd()))); }
  ControlMemory memory_;
};

TEST_F(ReceivedMemoryTest, TheRightOneIsTaken) {
  const auto received = receive();
  ASSERT_TRUE(received) << received.error().message();
  EXPECT_EQ(received->geometry().lanes, 2u);
  EXPECT_EQ(received->geometry().slots, 64u);
  EXPECT_EQ(received->geometry().pool_bytes, 8u * kBlockBytes);
}

TEST_F(ReceivedMemoryTest, EveryFigureThatAddressesDependOnIsChecked) {
  const ControlHeader& good = memory_.header();
  auto& header = memory_.writable_header();
  const auto refused = [&](auto& field, auto wrong) {
    const auto before = field;
    field = wrong;
    const bool is_refused = !receive();
    field = before;
    return is_refused;
  };
  EXPECT_TRUE(refused(header.magic[0], 'x'));
  EXPECT_TRUE(refused(header.version, header.version + 1));
  EXPECT_TRUE(refused(header.lanes, 0u));
  EXPECT_TRUE(refused(header.lanes, 257u));
  EXPECT_TRUE(refused(header.lanes, 200u)) << "more than its size holds";
  EXPECT_TRUE(refused(header.slots, 63u));
  EXPECT_TRUE(refused(header.slots, 1u << 31));
  EXPECT_TRUE(refused(header.slots, 1u << 20)) << "more than its size holds";
  EXPECT_TRUE(refused(header.return_slots, 0u));
  EXPECT_TRUE(refused(header.return_slots, 8192u));
  EXPECT_TRUE(refused(header.unit_bytes, 1u));
  EXPECT_TRUE(refused(header.block_bytes, 0u));
  EXPECT_TRUE(refused(header.pool_bytes, std::uint64_t{kBlockBytes + 1}));
  EXPECT_TRUE(receive());
  EXPECT_EQ(good.lanes, 2u);
}

TEST_F(ReceivedMemoryTest, AnOrdinaryFileIsNot) {
  EXPECT_FALSE(ControlMemory::open(UniqueFd(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC))));
  EXPECT_FALSE(ConsumerMemory::open(UniqueFd(::dup(memory_.fd())), memory_.geometry()));
}

}  // namespace
}  // namespace pwalk::ipc
