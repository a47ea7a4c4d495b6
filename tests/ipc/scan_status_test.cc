#include "scan_status.h"

#include <gtest/gtest.h>

#include <random>

#include "ipc/scan_fixture.h"
#include "messages.h"

namespace pwalk::ipc {
namespace {

TEST(ScanStatusTest, ComesBackAsItWasWithEveryByteInItsNames) {
  ScanStatus status;
  status.name = "home";
  status.state = "walking";
  status.started = "2024-05-01T12:00:00Z";
  status.entries = ~std::uint64_t{0};
  status.errors = 3;
  status.pool_bytes = 1u << 28;
  status.pages = "4K";
  status.figures.emplace();
  status.figures->entries = ~std::uint64_t{0};
  status.figures->statx.count = 7;
  std::string every;
  for (int byte = 1; byte < 256; ++byte) every += char(byte);
  status.roots = {"/", "/nfs/" + every};
  status.consumers = {{"loader \"1\"", "python3", 77, 4, 5, true, 1.5, "loaders", true}, {every, "", 0, 0, 0, false, 0, "", false}};
  const std::string text = print_status(status);
  const auto back = parse_status(text);
  ASSERT_TRUE(back) << text;
  EXPECT_EQ(back->name, status.name);
  EXPECT_EQ(back->state, status.state);
  EXPECT_EQ(back->started, status.started);
  EXPECT_EQ(back->entries, status.entries);
  EXPECT_EQ(back->errors, status.errors);
  EXPECT_EQ(back->pool_bytes, status.pool_bytes);
  EXPECT_EQ(back->pages, status.pages);
  ASSERT_TRUE(back->figures);
  EXPECT_EQ(back->figures->entries, ~std::uint64_t{0});
  EXPECT_EQ(back->figures->statx.count, 7u);
  EXPECT_EQ(back->roots, status.roots);
  ASSERT_EQ(back->consumers.size(), 2u);
  EXPECT_EQ(back->consumers[0].label, status.consumers[0].label);
  EXPECT_EQ(back->consumers[0].held_batches, 4u);
  EXPECT_EQ(back->consumers[0].lag_rows, 5u);
  EXPECT_EQ(back->consumers[0].who(), "loader \"1\" (pid 77, group loaders, python3)");
  EXPECT_EQ(back->consumers[1].who(), every);
  EXPECT_TRUE(back->consumers[0].evicted);
  EXPECT_TRUE(back->consumers[0].holding_back);
  EXPECT_EQ(back->consumers[0].holding_back_seconds, 1.5);
  EXPECT_EQ(back->consumers[1].label, every);
}

TEST(ScanStatusTest, StaysWithinAMessage) {
  ScanStatus status;
  status.roots.assign(1000, std::string(200, '\xff'));
  status.consumers.resize(100);
  const std::string text = print_status(status);
  EXPECT_LE(text.size() + sizeof(MessageHeader), kMostStatusBytes);
  const auto back = parse_status(text);
  ASSERT_TRUE(back);
  EXPECT_GT(back->roots.size(), 50u);
}

TEST(ScanStatusTest, WrongTypesKeepTheirDefaults) {
  const auto status = parse_status(
      R"({"name":1,"entries":-5,"errors":"x","roots":[1,"/r",null],"consumers":[7,{"label":[]}],"pages":{},"state":true})");
  ASSERT_TRUE(status);
  EXPECT_EQ(status->name, "");
  EXPECT_EQ(status->entries, 0u);
  EXPECT_EQ(status->roots, std::vector<std::string>{"/r"});
  EXPECT_EQ(status->consumers.size(), 1u);
  for (const char* text : {"", "[]", "17", "{", "{\"name\":\"\xff\"}", "nullnull"})
    EXPECT_FALSE(parse_status(text)) << text;
}

TEST(ScanStatusTest, SurvivesDamage) {
  std::mt19937_64 random(testing::test_seed());
  ScanStatus status;
  status.roots = {"/a\xff", "/b"};
  status.consumers = {{"one", "one", 5, 1, 2, true, 3, "", false}};
  const std::string good = print_status(status);
  for (int i = 0; i < 5000; ++i) {
    std::string damaged = good;
    for (unsigned n = 0; n < 1 + random() % 4; ++n) damaged[random() % damaged.size()] = char(random());
    damaged.resize(random() % (damaged.size() + 1));
    static_cast<void>(parse_status(damaged));
  }
}

}  // namespace
}  // namespace pwalk::ipc
