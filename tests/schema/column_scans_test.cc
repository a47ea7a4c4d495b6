#include "column_scans.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace pwalk::schema {
namespace {

/// Around one to five of the widest vectors, so that each place is once in a vector and once beyond the last.
constexpr std::size_t kLengths[] = {0, 1, 2, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 257, 330};

/// Runs `body` with each instruction set this processor has.
template <class Body>
void with_each_target(Body&& body) {
  for (const ColumnScans& scans : usable_column_scans()) {
    SCOPED_TRACE(scans.instruction_set);
    body(scans);
  }
}

std::vector<std::int32_t> rising(std::size_t length) {
  std::vector<std::int32_t> elements;
  for (std::size_t i = 0; i < length; ++i) elements.push_back(std::int32_t(3 * i));
  return elements;
}

TEST(ColumnScans, OffsetsThatRise) {
  with_each_target([](const ColumnScans& scans) {
    for (const std::size_t length : kLengths) {
      const auto scan = scans.offsets(rising(length));
      EXPECT_FALSE(scan.descends || scan.repeats) << length;
    }
  });
}

TEST(ColumnScans, OneFallOrRepetitionAnywhere) {
  with_each_target([](const ColumnScans& scans) {
    for (const std::size_t length : kLengths)
      for (std::size_t at = 1; at < length; ++at) {
        auto offsets = rising(length);
        offsets[at] = offsets[at - 1];
        EXPECT_TRUE(scans.offsets(offsets).repeats) << length << " " << at;
        EXPECT_FALSE(scans.offsets(offsets).descends) << length << " " << at;
        --offsets[at];
        EXPECT_FALSE(scans.offsets(offsets).repeats) << length << " " << at;
        EXPECT_TRUE(scans.offsets(offsets).descends) << length << " " << at;
      }
  });
}

/// Differences that do not fit the element's type.
TEST(ColumnScans, ExtremesOfTheType) {
  with_each_target([](const ColumnScans& scans) {
    for (const std::size_t length : {2u, 40u}) {
      std::vector<std::int32_t> wide(length, std::numeric_limits<std::int32_t>::max());
      wide.front() = 0;
      EXPECT_FALSE(scans.offsets(wide).descends);
      for (std::size_t at = 1; at < length; ++at) {
        auto bad = wide;
        bad[at] = std::numeric_limits<std::int32_t>::min();
        EXPECT_TRUE(scans.offsets(bad).descends) << length << " " << at;
        std::fill(bad.begin() + std::ptrdiff_t(at), bad.end(), -1);
        EXPECT_TRUE(scans.offsets(bad).descends) << length << " " << at;
      }
      std::vector<std::int16_t> narrow(length, std::numeric_limits<std::int16_t>::max());
      narrow.front() = std::numeric_limits<std::int16_t>::min();
      EXPECT_FALSE(scans.descends(narrow));
      narrow.back() = std::numeric_limits<std::int16_t>::min();
      EXPECT_EQ(scans.descends(narrow), length > 2);
    }
  });
}

TEST(ColumnScans, OneDescentAnywhere) {
  with_each_target([](const ColumnScans& scans) {
    for (const std::size_t length : kLengths)
      for (std::size_t at = 0; at < length; ++at) {
        std::vector<std::int16_t> elements(length, 7);
        EXPECT_FALSE(scans.descends(elements)) << length;
        elements[at] = 6;
        EXPECT_EQ(scans.descends(elements), at > 0) << length << " " << at;
      }
  });
}

TEST(ColumnScans, NulOrAnotherByteAnywhere) {
  with_each_target([](const ColumnScans& scans) {
    for (const std::size_t length : kLengths) {
      std::string bytes;
      for (std::size_t i = 0; i < length; ++i) bytes += char(i * 37 % 256);
      for (char& byte : bytes)
        if (byte == '/' || byte == '\0') byte = 'x';
      EXPECT_FALSE(scans.nul_or('/', bytes)) << length;
      for (std::size_t at = 0; at < length; ++at)
        for (const char forbidden : {'/', '\0'}) {
          std::string bad = bytes;
          bad[at] = forbidden;
          EXPECT_TRUE(scans.nul_or('/', bad)) << length << " " << at;
          EXPECT_EQ(scans.nul_or('\0', bad), forbidden == '\0') << length << " " << at;
        }
    }
  });
}

TEST(ColumnScans, LettersOfEveryValueAnywhere) {
  with_each_target([](const ColumnScans& scans) {
    for (const std::size_t length : kLengths)
      for (std::size_t at = 0; at < length; ++at)
        for (unsigned value = 0; value < 256; ++value) {
          std::vector<std::uint8_t> bytes(length, 'd');
          bytes[at] = std::uint8_t(value);
          const LetterScan scan = scans.type_letters(bytes);
          const bool known = value == 0 || kTypeLetters.find(char(value)) != std::string_view::npos;
          ASSERT_EQ(scan.unknown, !known) << length << " " << at << " " << value;
          ASSERT_EQ(scan.zeros, value == 0 ? 1u : 0u) << length << " " << at << " " << value;
        }
  });
}

}  // namespace
}  // namespace pwalk::schema
