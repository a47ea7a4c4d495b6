#include "glob.h"

#include <array>
#include <utility>

namespace pwalk {
namespace {

using ByteSet = std::bitset<256>;
constexpr std::size_t kNowhere = std::string_view::npos;

/// The ASCII members of a POSIX class, without asking the locale.
Result<ByteSet> class_named(std::string_view name) {
  const auto upper = [](int c) { return c >= 'A' && c <= 'Z'; };
  const auto lower = [](int c) { return c >= 'a' && c <= 'z'; };
  const auto digit = [](int c) { return c >= '0' && c <= '9'; };
  const auto graph = [](int c) { return c > ' ' && c < 127; };
  const auto member = [&](int c) {
    if (name == "alpha") return upper(c) || lower(c);
    if (name == "digit") return digit(c);
    if (name == "alnum") return upper(c) || lower(c) || digit(c);
    if (name == "upper") return upper(c);
    if (name == "lower") return lower(c);
    if (name == "space") return c == ' ' || (c >= '\t' && c <= '\r');
    if (name == "blank") return c == ' ' || c == '\t';
    if (name == "punct") return graph(c) && !upper(c) && !lower(c) && !digit(c);
    if (name == "print") return graph(c) || c == ' ';
    if (name == "graph") return graph(c);
    if (name == "cntrl") return c < ' ' || c == 127;
    if (name == "xdigit") return digit(c) || (c >= 'A' && c <= 'F') || (c >= 'a' && c <= 'f');
    return false;
  };
  ByteSet set;
  for (int c = 0; c < 128; ++c) set[std::size_t(c)] = member(c);
  if (set.none()) return fail(EINVAL, "there is no class [:" + std::string(name) + ":]");
  return set;
}

}  // namespace

/// One pass over a pattern.
class GlobCompiler {
 public:
  explicit GlobCompiler(std::string_view pattern) : pattern_(pattern) {}

  Result<Glob> run() {
    if (pattern_.empty()) return fail(EINVAL, "an empty glob matches nothing");
    if (pattern_.size() > 1 && pattern_.back() == '/')
      return fail(EINVAL, "a glob must not end in '/'; without it directories match too");
    if (pattern_.front() == '/') ++at_, glob_.for_paths_ = true;
    if (at_ == pattern_.size()) return fail(EINVAL, "'/' alone matches no entry below a root");
    while (at_ < pattern_.size())
      if (auto done = token(); !done) return tl::unexpected(done.error());
    return std::move(glob_);
  }

 private:
  Result<void> token() {
    const char c = pattern_[at_++];
    if (c == '*') return star();
    if (c == '[') return bracket();
    if (c == '?') return push_set(~ByteSet());
    if (c == '\\') {
      if (at_ == pattern_.size()) return fail(EINVAL, "a glob must not end in a lone '\\'");
      return push_byte(pattern_[at_++]);
    }
    return push_byte(c);
  }

  Result<void> star() {
    if (at_ == pattern_.size() || pattern_[at_] != '*') {
      glob_.tokens_.push_back({Glob::Kind::star});
      return {};
    }
    const bool starts_component = at_ == 1 || pattern_[at_ - 2] == '/';
    while (at_ < pattern_.size() && pattern_[at_] == '*') ++at_;
    const bool whole = starts_component && at_ < pattern_.size() && pattern_[at_] == '/';
    if (whole) ++at_;
    glob_.tokens_.push_back({whole ? Glob::Kind::components : Glob::Kind::globstar});
    return {};
  }

  Result<void> bracket() {
    const bool negated = at_ < pattern_.size() && (pattern_[at_] == '!' || pattern_[at_] == '^');
    if (negated) ++at_;
    ByteSet set;
    for (bool first = true;; first = false) {
      if (at_ >= pattern_.size()) return unterminated();
      if (pattern_[at_] == ']' && !first) break;
      if (auto done = member(set); !done) return done;
    }
    ++at_;
    return push_set(negated ? ~set : set);
  }

  /// One byte, range, class or equivalence class inside brackets.
  Result<void> member(ByteSet& set) {
    if (pattern_.substr(at_, 2) == "[:") {
      const std::size_t end = pattern_.find(":]", at_ + 2);
      if (end == kNowhere) return unterminated();
      auto named = class_named(pattern_.substr(at_ + 2, end - at_ - 2));
      if (!named) return tl::unexpected(named.error());
      set |= *named;
      at_ = end + 2;
      return {};
    }
    const bool may_be_range = symbol_end('=') == kNowhere;
    const auto low = bracket_byte();
    if (!low) return tl::unexpected(low.error());
    auto high = low;
    if (may_be_range && at_ + 1 < pattern_.size() && pattern_[at_] == '-' && pattern_[at_ + 1] != ']') {
      ++at_;
      high = bracket_byte();
      if (!high) return tl::unexpected(high.error());
    }
    if (*high < *low) return fail(EINVAL, "a range in '[...]' must ascend");
    for (unsigned c = *low; c <= *high; ++c) set.set(c);
    return {};
  }

  /// The next byte inside brackets, unescaped. `[.x.]` and `[=x=]` are x, since each byte is a character.
  Result<unsigned char> bracket_byte() {
    for (const char mark : {'.', '='}) {
      const std::size_t end = symbol_end(mark);
      if (end == kNowhere) continue;
      if (end != at_ + 3) return fail(EINVAL, "'[.x.]' and '[=x=]' are allowed for a single byte x only");
      const char byte = pattern_[at_ + 2];
      at_ = end + 2;
      return static_cast<unsigned char>(byte);
    }
    if (at_ < pattern_.size() && pattern_[at_] == '\\') ++at_;
    if (at_ >= pattern_.size()) return unterminated();
    return static_cast<unsigned char>(pattern_[at_++]);
  }

  /// Where the `.]` or `=]` of a symbol that begins here is; kNowhere if none does.
  std::size_t symbol_end(char mark) const {
    const std::array<char, 2> opening{'[', mark}, closing{mark, ']'};
    if (pattern_.substr(at_, 2) != std::string_view(opening.data(), 2)) return kNowhere;
    return pattern_.find(std::string_view(closing.data(), 2), at_ + 2);
  }

  Result<void> push_byte(char c) {
    if (c == '/') glob_.for_paths_ = true;
    glob_.tokens_.push_back({Glob::Kind::byte, static_cast<unsigned char>(c)});
    return {};
  }

  Result<void> push_set(ByteSet set) {
    set.reset('/');
    glob_.tokens_.push_back({Glob::Kind::set, 0, glob_.sets_.size()});
    glob_.sets_.push_back(set);
    return {};
  }

  static tl::unexpected<Error> unterminated() { return fail(EINVAL, "'[' is not closed by ']'"); }

  std::string_view pattern_;
  std::size_t at_ = 0;
  Glob glob_;
};

Result<Glob> Glob::compile(std::string_view pattern) { return GlobCompiler(pattern).run(); }

bool Glob::accepts(const Token& token, unsigned char byte) const {
  return token.kind == Kind::byte ? token.byte == byte : token.kind == Kind::set && sets_[token.set][byte];
}

// Backtracking needs only the last '*' and the last '**': a later one can take
// over whatever an earlier one of its kind would have swallowed, and a '*' that
// would have to swallow a '/' hands back to the '**' before it.
bool Glob::matches(std::string_view subject) const {
  struct Retry {
    std::size_t token = kNowhere;  ///< the star's own token
    std::size_t from = 0;          ///< what follows it was last tried here
  } star, wide;
  std::size_t token = 0, at = 0;
  for (;;) {
    if (token < tokens_.size() && tokens_[token].kind == Kind::star) {
      star = {token++, at};
      continue;
    }
    if (token < tokens_.size() && tokens_[token].kind >= Kind::globstar) {
      wide = {token++, at};
      star = {};
      continue;
    }
    if (token == tokens_.size() && at == subject.size()) return true;
    if (token < tokens_.size() && at < subject.size() &&
        accepts(tokens_[token], static_cast<unsigned char>(subject[at]))) {
      ++token, ++at;
      continue;
    }
    if (star.token != kNowhere && star.from < subject.size() && subject[star.from] != '/') {
      token = star.token + 1, at = ++star.from;
      continue;
    }
    if (wide.token == kNowhere || wide.from >= subject.size()) return false;
    if (tokens_[wide.token].kind == Kind::components) {
      const std::size_t slash = subject.find('/', wide.from);
      if (slash == kNowhere) return false;
      wide.from = slash;
    }
    token = wide.token + 1, at = ++wide.from;
    star = {};
  }
}

}  // namespace pwalk
