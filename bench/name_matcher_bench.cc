// Globs on the names of one 64 KiB getdents64 buffer: all at once, one name at a
// time, fnmatch(3), and PCRE2 with one compiled alternation, interpreted and JIT.
//   build/release/bench/name_matcher_bench --benchmark_counters_tabular=true
// Counter `ns/name` is what one name costs against the whole list; for "block"
// finding the names' keys in the buffer is part of it.
#include "name_matcher.h"

#include <benchmark/benchmark.h>
#include <fnmatch.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <array>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace pwalk {
namespace {

/// The lists a scan is given.
struct GlobList {
  const char* name;
  std::vector<std::string> globs;
};

std::vector<std::string> many_names(std::size_t count) {
  std::vector<std::string> globs;
  for (std::size_t i = 0; i < count; ++i) globs.push_back("project-" + std::to_string(i * 37));
  return globs;
}

const std::array<GlobList, 6>& lists() {
  static const std::array<GlobList, 6> all{{
      {"one suffix", {"*.bam"}},
      {"ten suffixes",
       {"*.o", "*.pyc", "*.tmp", "*.bak", "*.swp", "*.log", "*.bam.bai", "*.gz", "*~", "*.class"}},
      {"a developer's",
       {".git", "node_modules", "__pycache__", "*.o", "*.pyc", "build*", ".cache", "*.egg-info"}},
      {"two words", {"*backup*", "*checkpoint*"}},
      {"general", {"sample_[0-9][0-9]*.fastq.gz", "*_[!a-z]*.json*", "data.[0-9]*"}},
      {"200 names", many_names(200)},
  }};
  return all;
}

/// Names such as directories of data and of sources have, packed as getdents64 packs them.
class Buffer {
 public:
  Buffer() {
    std::mt19937_64 random(7);
    const std::array<const char*, 12> stems{"sample_", "README", "module-", "part-", "img_",    "checkpoint-",
                                            "test_",   "a",      "index",   "data.", "x86_64-", "Makefile."};
    const std::array<const char*, 10> ends{".bam", ".bam.bai", ".o",   ".cc",   ".fastq.gz",
                                           ".py",  "",         ".txt", ".json", "~"};
    while (bytes_.size() < 64 * 1024 - 300) {
      const std::string name =
          stems[random() % stems.size()] + std::to_string(random() % 100000) + ends[random() % ends.size()];
      const std::size_t record = (19 + name.size() + 1 + 7) / 8 * 8;
      begins_.push_back(std::uint32_t(bytes_.size() + 19));
      bytes_.append(19, char(random() % 64));
      bytes_ += name;
      bytes_.append(record - 19 - name.size(), '\0');
      names_.push_back(name);
    }
  }
  const std::string& bytes() const { return bytes_; }
  const std::vector<std::string>& names() const { return names_; }
  const std::vector<std::uint32_t>& begins() const { return begins_; }

 private:
  std::string bytes_;
  std::vector<std::string> names_;
  std::vector<std::uint32_t> begins_;
};

const Buffer& buffer() {
  static const Buffer one;
  return one;
}

NameMatcher matcher_of(const GlobList& list) {
  std::vector<Glob> globs;
  for (const std::string& text : list.globs) globs.push_back(*Glob::compile(text));
  return NameMatcher(std::move(globs));
}

void report(benchmark::State& state, std::size_t matched) {
  const double names = double(state.iterations()) * double(buffer().names().size());
  state.counters["ns/name"] =
      benchmark::Counter(names / 1e9, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  state.counters["matched"] = double(matched);
}

/// Runs `matches(name)` over the buffer's names; the names are NUL-terminated strings.
template <class Matches>
void one_by_one(benchmark::State& state, Matches&& matches) {
  std::size_t matched = 0;
  for (auto _ : state) {
    matched = 0;
    for (const std::string& name : buffer().names()) matched += matches(name);
    benchmark::DoNotOptimize(matched);
  }
  report(state, matched);
}

void block(benchmark::State& state, const GlobList& list) {
  const NameMatcher matcher = matcher_of(list);
  NameBlock names;
  std::vector<std::uint64_t> hits;
  for (auto _ : state) {
    names.reset(buffer().bytes());
    for (std::size_t i = 0; i < buffer().names().size(); ++i)
      names.add(buffer().begins()[i], std::uint32_t(buffer().names()[i].size()));
    matcher.match(names, hits);
    benchmark::DoNotOptimize(hits.data());
  }
  std::size_t matched = 0;
  for (const std::uint64_t word : hits) matched += std::size_t(__builtin_popcountll(word));
  report(state, matched);
}

void single(benchmark::State& state, const GlobList& list) {
  const NameMatcher matcher = matcher_of(list);
  one_by_one(state, [&](const std::string& name) { return matcher.matches(name); });
}

void glob_each(benchmark::State& state, const GlobList& list) {
  std::vector<Glob> globs;
  for (const std::string& text : list.globs) globs.push_back(*Glob::compile(text));
  one_by_one(state, [&](const std::string& name) {
    for (const Glob& glob : globs)
      if (glob.matches(name)) return true;
    return false;
  });
}

void fnmatch_each(benchmark::State& state, const GlobList& list) {
  one_by_one(state, [&](const std::string& name) {
    for (const std::string& glob : list.globs)
      if (fnmatch(glob.c_str(), name.c_str(), 0) == 0) return true;
    return false;
  });
}

/// The whole list as one anchored alternation.
std::string expression(const GlobList& list) {
  std::string text = "\\A(?:";
  for (const std::string& glob : list.globs) {
    if (text.back() != ':') text += '|';
    for (std::size_t i = 0; i < glob.size(); ++i) {
      if (glob[i] == '*') {
        text += ".*";
      } else if (glob[i] == '?') {
        text += '.';
      } else if (glob[i] == '!' && i > 0 && glob[i - 1] == '[') {
        text += '^';
      } else if (glob[i] == '.' || glob[i] == '~') {
        text += std::string("\\") + glob[i];
      } else {
        text += glob[i];
      }
    }
  }
  return text + ")\\z";
}

void pcre2(benchmark::State& state, const GlobList& list, bool jit) {
  const std::string text = expression(list);
  int error = 0;
  PCRE2_SIZE offset = 0;
  const std::unique_ptr<pcre2_code, decltype(&pcre2_code_free)> code(
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), PCRE2_DOTALL, &error, &offset,
                    nullptr),
      pcre2_code_free);
  if (!code || (jit && pcre2_jit_compile(code.get(), PCRE2_JIT_COMPLETE) != 0)) {
    state.SkipWithError("PCRE2 refuses the expression");
    return;
  }
  const std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> data(
      pcre2_match_data_create(1, nullptr), pcre2_match_data_free);
  const auto match = jit ? pcre2_jit_match : pcre2_match;
  one_by_one(state, [&](const std::string& name) {
    return match(code.get(), reinterpret_cast<PCRE2_SPTR>(name.data()), name.size(), 0, 0, data.get(),
                 nullptr) >= 0;
  });
}

}  // namespace
}  // namespace pwalk

int main(int argc, char** argv) {
  using namespace pwalk;
  for (const GlobList& list : lists()) {
    const std::string at = std::string(list.name) + "/";
    benchmark::RegisterBenchmark((at + "block").c_str(), block, list);
    benchmark::RegisterBenchmark((at + "single").c_str(), single, list);
    benchmark::RegisterBenchmark((at + "glob").c_str(), glob_each, list);
    benchmark::RegisterBenchmark((at + "fnmatch").c_str(), fnmatch_each, list);
    benchmark::RegisterBenchmark((at + "pcre2").c_str(), pcre2, list, false);
    benchmark::RegisterBenchmark((at + "pcre2_jit").c_str(), pcre2, list, true);
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
}
