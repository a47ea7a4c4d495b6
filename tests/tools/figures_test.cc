#include "text/figures.h"

#include <gtest/gtest.h>

namespace pwalk::tools {
namespace {

TEST(FiguresTest, grouped) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1000), "1,000");
  EXPECT_EQ(grouped(1234567), "1,234,567");
  EXPECT_EQ(grouped(18446744073709551615u), "18,446,744,073,709,551,615");
}

TEST(FiguresTest, counted) {
  EXPECT_EQ(counted(0, "error"), "0 errors");
  EXPECT_EQ(counted(1, "error"), "1 error");
  EXPECT_EQ(counted(1000, "error"), "1,000 errors");
}

TEST(FiguresTest, compact_keeps_three_digits) {
  EXPECT_EQ(compact(0), "0");
  EXPECT_EQ(compact(999), "999");
  EXPECT_EQ(compact(999.7), "1.00k");
  EXPECT_EQ(compact(1234), "1.23k");
  EXPECT_EQ(compact(12345), "12.3k");
  EXPECT_EQ(compact(123456), "123k");
  EXPECT_EQ(compact(999999), "1.00M");
  EXPECT_EQ(compact(9.9e15), "9900T") << "beyond the last unit";
}

TEST(FiguresTest, byte_text) {
  EXPECT_EQ(byte_text(0), "0 B");
  EXPECT_EQ(byte_text(1023), "1023 B");
  EXPECT_EQ(byte_text(1536), "1.50 KiB");
  EXPECT_EQ(byte_text(256u << 20), "256 MiB");
  EXPECT_EQ(byte_text(18446744073709551615u), "16.0 EiB");
}

TEST(FiguresTest, duration_text) {
  EXPECT_EQ(duration_text(0.254), "0.25 s");
  EXPECT_EQ(duration_text(187), "3:07");
  EXPECT_EQ(duration_text(7387), "2:03:07");
}

}  // namespace
}  // namespace pwalk::tools
