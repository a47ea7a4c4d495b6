#include "name_matcher.h"

#include <fnmatch.h>
#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <cstdlib>
#include <random>

namespace pwalk {
namespace {

/// What a glob means, written once more and as plainly as possible: the oracle.
/// Sets are taken apart byte by byte; nothing is compiled, everything is tried.
class Oracle {
 public:
  static bool matches(std::string_view glob, std::string_view name) {
    if (glob.empty()) return name.empty();
    if (glob[0] == '*')
      return matches(glob.substr(1), name) || (!name.empty() && matches(glob, name.substr(1)));
    if (name.empty()) return false;
    if (glob[0] == '?') return matches(glob.substr(1), name.substr(1));
    if (glob[0] == '\\') return glob[1] == name[0] && matches(glob.substr(2), name.substr(1));
    if (glob[0] == '[')
      if (const std::size_t end = glob.find(']', 2); end != glob.npos)
        return in_set(glob.substr(1, end - 1), name[0]) && matches(glob.substr(end + 1), name.substr(1));
    return glob[0] == name[0] && matches(glob.substr(1), name.substr(1));
  }

 private:
  static bool in_set(std::string_view set, char c) {
    const bool negated = set[0] == '!' || set[0] == '^';
    if (negated) set.remove_prefix(1);
    bool found = false;
    for (std::size_t i = 0; i < set.size(); ++i) {
      const bool range = i + 2 < set.size() && set[i + 1] == '-';
      found = found || (range ? set[i] <= c && c <= set[i + 2] : set[i] == c);
      if (range) i += 2;
    }
    return found != negated;
  }
};

std::uint64_t seed() {
  const char* given = std::getenv("PWALK_TEST_SEED");
  const std::uint64_t value = given ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  std::printf("PWALK_TEST_SEED=%llu\n", static_cast<unsigned long long>(value));
  return value;
}

/// Names and globs from few letters, so that they meet often.
class Generator {
 public:
  explicit Generator(std::uint64_t seed) : random_(seed) {}

  std::size_t below(std::size_t bound) { return std::size_t(random_() % bound); }

  std::string word(std::size_t longest) {
    std::string text;
    for (std::size_t n = below(longest + 1); n > 0; --n) text += "aab.\xC3\xFF"[below(6)];
    return text;
  }

  std::string name() {
    const std::string text = word(below(4) == 0 ? 40 : 12);
    return text.empty() ? "a" : text;
  }

  std::string glob() {
    std::string text;
    for (std::size_t n = 1 + below(5); n > 0; --n) text += piece();
    return text.empty() ? "?" : text;
  }

  /// A dirent buffer's like: names between other bytes, ended by NUL, the last one flush with the end.
  std::vector<std::string> fill(NameBlock& block, std::string& bytes, std::size_t count) {
    std::vector<std::string> names;
    std::vector<std::uint32_t> begins;
    bytes.clear();
    for (std::size_t i = 0; i < count; ++i) {
      bytes += std::string(below(3), "ab."[below(3)]);
      if (below(2) == 0) bytes += '\0';
      begins.push_back(std::uint32_t(bytes.size()));
      names.push_back(name());
      bytes += names.back();
    }
    bytes.shrink_to_fit();
    block.reset(bytes);
    for (std::size_t i = 0; i < count; ++i) block.add(begins[i], std::uint32_t(names[i].size()));
    return names;
  }

 private:
  std::string piece() {
    switch (below(8)) {
      case 0:
      case 1:
        return "*";
      case 2:
        return "?";
      case 3:
        return below(2) == 0 ? "[ab]" : "[!a-b]";
      case 4:
        return "\\a";
      case 5:
        return word(20);
      default:
        return word(4);
    }
  }

  std::mt19937_64 random_;
};

NameMatcher compiled(const std::vector<std::string>& patterns) {
  std::vector<Glob> globs;
  for (const std::string& pattern : patterns) {
    auto glob = Glob::compile(pattern);
    EXPECT_TRUE(glob.has_value()) << pattern;
    if (glob) globs.push_back(*std::move(glob));
  }
  return NameMatcher(std::move(globs));
}

bool has_bit(const std::vector<std::uint64_t>& bits, std::size_t i) {
  return bits.at(i / 64) >> i % 64 & 1;
}

TEST(NameMatcher, MeansWhatFnmatchMeans) {
  const std::vector<std::string> globs{"*",
                                       "a*",
                                       "*.c",
                                       "?",
                                       "??*",
                                       "[abc]x",
                                       "[!abc]x",
                                       "[^a]*",
                                       "[]a]",
                                       "[!]a]",
                                       "a\\*b",
                                       "[a-c]?",
                                       "[[:digit:]]*",
                                       "[[:upper:][:digit:]_]*",
                                       "*[.]gz",
                                       "a*b*c",
                                       "*a*",
                                       "**",
                                       "a**b",
                                       "*a**",
                                       "[a-]",
                                       "[-a]",
                                       "\\[a]",
                                       "[\\]]",
                                       "x[[:alpha:]-]y",
                                       "[[=a=]]x",
                                       "[![=a=]b]?",
                                       "[[.a.]-c]x",
                                       "[[.].][.[.]]",
                                       "x[[.-.]z]y",
                                       "[[.=.]=.]*c"};
  const std::vector<std::string> names{"a",       "ax", "dx",  "a*b", "ab",  "abc", "axbxc",    "x.c",
                                       ".c",      "]",  "[",   "a[b", "7up", "_x",  "Up",       "b2",
                                       "file.gz", "-",  "[a]", "x-y", "xzy", "x1y", "\xC3\xA9", ".hidden"};
  for (const std::string& glob : globs)
    for (const std::string& name : names)
      EXPECT_EQ(compiled({glob}).matches(name), fnmatch(glob.c_str(), name.c_str(), 0) == 0)
          << glob << " on " << name;
}

TEST(NameMatcher, ASymbolInBracketsIsOneByte) {
  for (const char* glob : {"[[.hyphen.]]", "[[=ab=]]", "[[..]]", "[a-[.xy.]]"}) {
    const auto compiled_glob = Glob::compile(glob);
    ASSERT_FALSE(compiled_glob) << glob;
    EXPECT_NE(compiled_glob.error().what.find("single byte"), std::string::npos) << compiled_glob.error().what;
  }
  EXPECT_TRUE(compiled({"[[.]"}).matches(".")) << "no symbol, since it does not end";
}

TEST(NameMatcher, EachKindOfGlobGoesItsWay) {
  const std::vector<std::string> globs{
      "core", "*.bam", "tmp*", "a?c*.gz", "*word*", "[ab]*", "a-very-long-prefix*", "*a*b", "*.[0-9]log*"};
  EXPECT_EQ(
      compiled(globs).explain().find("4 by their ends, 0 by table, 2 by a word in them, 3 byte by byte"), 0u)
      << compiled(globs).explain();
  std::vector<std::string> exact;
  for (int i = 0; i < 100; ++i) exact.push_back("name" + std::to_string(i));
  EXPECT_EQ(compiled(exact).explain().find("0 by their ends, 100 by table"), 0u);
  EXPECT_TRUE(compiled(exact).matches("name7"));
  EXPECT_FALSE(compiled(exact).matches("name100"));
}

TEST(NameMatcher, WithoutGlobsNothingMatches) {
  const NameMatcher none = compiled({});
  EXPECT_TRUE(none.empty());
  EXPECT_FALSE(none.matches("a"));
  NameBlock block;
  std::vector<std::uint64_t> hits{7};
  none.match(block, hits);
  EXPECT_TRUE(hits.empty());
}

TEST(NameMatcher, AHeaderIsNoName) {
  // `word` stands in the bytes between the names, and across the end of one.
  const std::string bytes =
      "word"
      "awordb"
      "wo"
      "rd"
      "xword";
  NameBlock block;
  block.reset(bytes);
  block.add(4, 6);
  block.add(10, 2);
  block.add(15, 4);
  std::vector<std::uint64_t> hits;
  compiled({"*word*"}).match(block, hits);
  EXPECT_EQ(hits, std::vector<std::uint64_t>{0b101});
}

TEST(NameBlock, KeysOfShortAndLongNames) {
  const std::string bytes =
      "ab"
      "abcdefgh"
      "abcdefghij"
      "z";
  NameBlock block;
  block.reset(bytes);
  block.add(0, 2);
  block.add(2, 8);
  block.add(10, 10);
  block.add(20, 1);
  for (std::size_t i = 0; i < block.size(); ++i) {
    EXPECT_EQ(block.heads()[i], head_key(block.name(i))) << i;
    EXPECT_EQ(block.tails()[i], tail_key(block.name(i))) << i;
  }
  EXPECT_EQ(head_key("ab"), 0x6261u);
  EXPECT_EQ(tail_key("ab"), 0x6261000000000000u);
  EXPECT_EQ(tail_key("abcdefghij"), head_key("cdefghij"));
  block.reset(bytes);
  EXPECT_EQ(block.lengths()[3], -1);
}

/// Every instruction set this processor has gives the oracle's answer.
TEST(NameMatcher, AgreesWithTheOracleOnEveryInstructionSet) {
  Generator generator(seed());
  NameBlock block;
  std::string bytes;
  std::vector<std::uint64_t> hits;
  std::size_t matched = 0, checked = 0;
  for (int round = 0; round < 400; ++round) {
    std::vector<std::string> globs;
    for (std::size_t n = generator.below(round % 10 == 0 ? 40 : 6) + 1; n > 0; --n)
      globs.push_back(generator.glob());
    const NameMatcher matcher = compiled(globs);
    const std::vector<std::string> names = generator.fill(block, bytes, generator.below(200));
    for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
      hwy::SetSupportedTargetsForTest(target);
      matcher.match(block, hits);
      for (std::size_t i = 0; i < names.size(); ++i) {
        bool expected = false;
        for (const std::string& glob : globs) expected = expected || Oracle::matches(glob, names[i]);
        ASSERT_EQ(has_bit(hits, i), expected)
            << names[i] << " on " << hwy::TargetName(target) << ", first glob " << globs[0];
        ASSERT_EQ(matcher.matches(names[i]), expected) << names[i];
        matched += expected;
        ++checked;
      }
    }
    hwy::SetSupportedTargetsForTest(0);
  }
  EXPECT_GT(matched, checked / 20);
  EXPECT_LT(matched, checked - checked / 20);
}

}  // namespace
}  // namespace pwalk
