#include "text/base64.h"

#include <gtest/gtest.h>

namespace pwalk::tools {
namespace {

std::string base64(std::string_view bytes) {
  std::string out;
  append_base64(out, bytes);
  return out;
}

TEST(Base64Test, vectors_of_rfc_4648) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("foob"), "Zm9vYg==");
  EXPECT_EQ(base64("fooba"), "Zm9vYmE=");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
}

TEST(Base64Test, bytes_above_127_are_not_sign_extended) { EXPECT_EQ(base64("\xff\xfe\xfd\x80"), "//79gA=="); }

}  // namespace
}  // namespace pwalk::tools
