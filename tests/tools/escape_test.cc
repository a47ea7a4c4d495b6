#include "text/escape.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

namespace pwalk::tools {
namespace {

/// Undoes escaped(), to prove that nothing is lost or ambiguous.
std::string unescaped(const std::string& text) {
  std::string bytes;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '\\') {
      bytes += text[at];
      continue;
    }
    switch (text.at(++at)) {
      case 'n': bytes += '\n'; break;
      case 't': bytes += '\t'; break;
      case 'r': bytes += '\r'; break;
      case '\\': bytes += '\\'; break;
      default: bytes += char(std::stoi(text.substr(at + 1, 2), nullptr, 16)); at += 2;
    }
  }
  return bytes;
}

TEST(EscapeTest, plain_text_and_other_scripts_stay) {
  EXPECT_EQ(escaped("/home/a b/gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80"), "/home/a b/gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80");
}

TEST(EscapeTest, controls_and_backslash) {
  EXPECT_EQ(escaped("a\nb\tc\rd\\e"), "a\\nb\\tc\\rd\\\\e");
  EXPECT_EQ(escaped("\x1b[31m\x7f"), "\\x1b[31m\\x7f");
  EXPECT_EQ(escaped(std::string_view("\0", 1)), "\\x00");
}

TEST(EscapeTest, c1_in_both_its_forms) {
  EXPECT_EQ(escaped("\x9b"), "\\x9b") << "the byte, which is no UTF-8";
  EXPECT_EQ(escaped("\xc2\x9b"), "\\xc2\\x9b") << "the code point";
}

TEST(EscapeTest, bidirectional_controls) { EXPECT_EQ(escaped("a\xe2\x80\xae" "b"), "a\\xe2\\x80\\xaeb"); }

TEST(EscapeTest, broken_utf8_byte_by_byte) { EXPECT_EQ(escaped("\xe2\x82z\xc3"), "\\xe2\\x82z\\xc3"); }

TEST(EscapeTest, random_bytes_come_back) {
  const char* given = std::getenv("PWALK_TEST_SEED");
  const unsigned seed = given ? unsigned(std::strtoul(given, nullptr, 10)) : std::random_device{}();
  SCOPED_TRACE("PWALK_TEST_SEED=" + std::to_string(seed));
  std::mt19937 random(seed);
  for (int round = 0; round < 2000; ++round) {
    std::string bytes(random() % 40, '\0');
    for (char& byte : bytes) byte = char(random());
    const std::string text = escaped(bytes);
    EXPECT_EQ(unescaped(text), bytes);
    for (char byte : text) EXPECT_FALSE(static_cast<unsigned char>(byte) < 0x20 || byte == 0x7f);
  }
}

}  // namespace
}  // namespace pwalk::tools
