#pragma once

#include <bitset>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pwalk/base/result.h"

namespace pwalk {

/// A compiled shell pattern over bytes (no locale: a name need not be text).
///
///   ?        one byte, not '/'           *     any bytes but '/'
///   [a-z]    one byte of the set         **    any bytes
///   [!a-z]   one byte not of it, not '/' **/   at the start or after '/': any
///   [[:digit:]]  POSIX classes, ASCII          number of whole components, or none
///   \x       x itself
///
/// A leading dot is an ordinary byte. Matches whole subjects only. Immutable:
/// any number of threads may match at once.
class Glob {
 public:
  /// EINVAL with what is wrong: empty, unterminated '[', unknown class, a range
  /// out of order, '\' or '/' at the end.
  static Result<Glob> compile(std::string_view pattern);

  /// Time is at most |subject|² · |pattern|, space constant.
  bool matches(std::string_view subject) const;

  /// The pattern has a '/', so it is meant for paths; a leading one is dropped
  /// (every path is relative to its root already).
  bool is_for_paths() const { return for_paths_; }

  /// What it was compiled to, for those who match many subjects at once.
  enum class Kind : unsigned char { byte, set, star, globstar, components };
  struct Token {
    Kind kind;
    unsigned char byte = 0;   ///< Kind::byte
    std::size_t set = 0;      ///< Kind::set: index of sets_
  };
  std::span<const Token> tokens() const { return tokens_; }
  /// The token stands for any one byte of a name.
  bool accepts_any(const Token& token) const { return token.kind == Kind::set && sets_[token.set].count() == 255; }

 private:
  friend class GlobCompiler;
  bool accepts(const Token& token, unsigned char byte) const;

  std::vector<Token> tokens_;
  std::vector<std::bitset<256>> sets_;
  bool for_paths_ = false;
};

}  // namespace pwalk
