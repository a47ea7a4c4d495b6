#include "text/utf8.h"

#include <gtest/gtest.h>

namespace pwalk::tools {
namespace {

TEST(Utf8Test, accepts_one_to_four_bytes) {
  EXPECT_TRUE(is_utf8(""));
  EXPECT_TRUE(is_utf8("plain ascii of more than eight bytes"));
  EXPECT_TRUE(is_utf8("gr\xc3\xbc\xc3\x9f"));
  EXPECT_TRUE(is_utf8("\xe2\x82\xac"));
  EXPECT_TRUE(is_utf8("\xf0\x9f\x98\x80"));
  EXPECT_TRUE(is_utf8("\xf4\x8f\xbf\xbf"));
}

TEST(Utf8Test, refuses_what_rfc_3629_refuses) {
  EXPECT_FALSE(is_utf8("\x80")) << "stray continuation";
  EXPECT_FALSE(is_utf8("12345678\xff")) << "after eight good bytes";
  EXPECT_FALSE(is_utf8("\xc3")) << "cut off";
  EXPECT_FALSE(is_utf8("\xe2\x82")) << "cut off";
  EXPECT_FALSE(is_utf8("\xc0\xaf")) << "overlong";
  EXPECT_FALSE(is_utf8("\xe0\x80\xaf")) << "overlong";
  EXPECT_FALSE(is_utf8("\xf0\x80\x80\xaf")) << "overlong";
  EXPECT_FALSE(is_utf8("\xed\xa0\x80")) << "surrogate";
  EXPECT_FALSE(is_utf8("\xf4\x90\x80\x80")) << "above U+10FFFF";
  EXPECT_FALSE(is_utf8("\xf5\x80\x80\x80"));
}

TEST(Utf8Test, step_tells_point_and_length) {
  const Utf8Step euro = decode_utf8("\xe2\x82\xac rest");
  EXPECT_EQ(euro.code_point, char32_t{0x20AC});
  EXPECT_EQ(euro.length, 3u);
  EXPECT_EQ(decode_utf8("\xff").length, 0u);
}

TEST(Utf8Test, unsafe_points) {
  for (char32_t point : {0x0, 0x1b, 0x7f, 0x80, 0x9f, 0x61c, 0x200e, 0x2028, 0x202e, 0x2066, 0x2069})
    EXPECT_TRUE(is_unsafe_to_show(point)) << std::hex << std::uint32_t(point);
  for (char32_t point : {0x20, 0x7e, 0xa0, 0x200d, 0x2027, 0x202f, 0x2065, 0x206a, 0x1f600})
    EXPECT_FALSE(is_unsafe_to_show(point)) << std::hex << std::uint32_t(point);
}

}  // namespace
}  // namespace pwalk::tools
