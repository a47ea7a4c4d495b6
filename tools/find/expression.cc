#include "find/expression.h"

#include <fmt/format.h>

#include <charconv>

#include "find/path_regex.h"
#include "find/primaries.h"
#include "text/escape.h"

namespace pwalk::tools::find {
namespace {

constexpr std::size_t kDeepestNesting = 1000;

/// Recursive descent over find's grammar, loosest first:
///
///   list   := or (`,` or)*
///   or     := and (`-o` and)*
///   and    := not (`-a`? not)*
///   not    := `!` not | `(` list `)` | primary
///
/// Behind a -quit that was met nothing more is evaluated, whatever joins it.
class Parser {
 public:
  Parser(const std::vector<std::string>& words, const ExpressionSetting& setting)
      : words_(words), setting_{setting} {}

  Result<Expression> parse() {
    Test whole = [](Visit&) { return true; };
    if (!words_.empty()) {
      auto parsed = list();
      if (!parsed) return tl::unexpected(parsed.error());
      if (at_ < words_.size())
        return fail(EINVAL, fmt::format("'{}' is out of place; a '(' is missing, or an operator", escaped(words_[at_])));
      whole = *std::move(parsed);
    }
    if (!has_action_) whole = both(std::move(whole), print_primary().test);
    expression_.test = std::move(whole);
    return std::move(expression_);
  }

 private:
  using Parsed = Result<Test>;

  static Test both(Test first, Test second) {
    return [first = std::move(first), second = std::move(second)](Visit& visit) {
      return first(visit) && !visit.run.quit && second(visit);
    };
  }

  bool take(std::string_view word, std::string_view other = {}) {
    if (at_ == words_.size() || (words_[at_] != word && words_[at_] != other)) return false;
    ++at_;
    return true;
  }
  bool at_end_of_list() const {
    return at_ == words_.size() || words_[at_] == ")" || words_[at_] == "," || words_[at_] == "-o" || words_[at_] == "-or";
  }

  Parsed list() {
    auto left = any();
    while (left && take(",")) {
      auto right = any();
      if (!right) return right;
      left = Test([first = *std::move(left), second = *std::move(right)](Visit& visit) {
        first(visit);
        return !visit.run.quit && second(visit);
      });
    }
    return left;
  }

  Parsed any() {
    auto left = all();
    while (left && take("-o", "-or")) {
      auto right = all();
      if (!right) return right;
      left = Test([first = *std::move(left), second = *std::move(right)](Visit& visit) {
        return first(visit) || (!visit.run.quit && second(visit));
      });
    }
    return left;
  }

  Parsed all() {
    auto left = negation();
    while (left && (take("-a", "-and") || !at_end_of_list())) {
      auto right = negation();
      if (!right) return right;
      left = both(*std::move(left), *std::move(right));
    }
    return left;
  }

  Parsed negation() {
    if (at_ == words_.size())
      return fail(EINVAL, at_ == 0 ? "an expression is missing" : fmt::format("something is missing behind '{}'", escaped(words_[at_ - 1])));
    if (++depth_ > kDeepestNesting) return fail(EINVAL, fmt::format("more than {} parentheses and ! in one another", kDeepestNesting));
    auto parsed = take("!", "-not") ? negated() : take("(") ? group() : primary();
    --depth_;
    return parsed;
  }

  Parsed negated() {
    auto inner = negation();
    if (!inner) return inner;
    return Test([inner = *std::move(inner)](Visit& visit) { return !inner(visit); });
  }

  Parsed group() {
    if (take(")")) return fail(EINVAL, "'( )' has nothing in it");
    auto inner = list();
    if (inner && !take(")")) return fail(EINVAL, "a '(' has no ')'");
    return inner;
  }

  Parsed primary() {
    const std::string name = words_[at_++];
    if (name == "-maxdepth") return depth_limit(name, expression_.max_depth);
    if (name == "-mindepth") return depth_limit(name, expression_.min_depth);
    if (name == "-regextype") return regex_type();
    const PrimaryKind* kind = primary_named(name);
    if (kind && !kind->takes_value) return keep(name, {}, kind->make({}, setting_));
    const bool newer = name.starts_with("-newer") || name == "-anewer" || name == "-cnewer";
    if (!kind && !newer) return unknown(name);
    auto value = value_of(name);
    if (!value) return tl::unexpected(value.error());
    if (kind) return keep(name, *value, kind->make(*value, setting_));
    auto made = newer_primary(name, *value, setting_);
    return made ? keep(name, *value, *std::move(made)) : unknown(name);
  }

  Parsed keep(const std::string& name, const std::string& value, Result<Primary> made) {
    if (!made) {
      const bool system = made.error().code != EINVAL;  // the file of -newer
      return fail(EINVAL, fmt::format("{} '{}': {}", name, escaped(value), escaped(system ? made.error().message() : made.error().what)));
    }
    expression_.needs = expression_.needs | made->needs;
    has_action_ |= made->is_action;
    return std::move(made->test);
  }

  Result<std::string> value_of(const std::string& name) {
    if (at_ == words_.size()) return fail(EINVAL, fmt::format("{} needs a value", name));
    return words_[at_++];
  }

  Parsed depth_limit(const std::string& name, std::uint32_t& into) {
    auto value = value_of(name);
    if (!value) return tl::unexpected(value.error());
    const char* end = value->data() + value->size();
    const auto [stop, error] = std::from_chars(value->data(), end, into);
    if (error != std::errc{} || stop != end)
      return fail(EINVAL, fmt::format("{} '{}': allowed are whole numbers from 0", name, escaped(*value)));
    return Test([](Visit&) { return true; });
  }

  Parsed regex_type() {
    auto value = value_of("-regextype");
    if (!value) return tl::unexpected(value.error());
    if (auto fine = PathRegex::check_type(*value); !fine)
      return fail(EINVAL, fmt::format("-regextype '{}': {}", escaped(*value), fine.error().what));
    setting_.regex_type = *std::move(value);
    return Test([](Visit&) { return true; });
  }

  static Parsed unknown(const std::string& name) {
    if (name == "-a" || name == "-and" || name == "-o" || name == "-or" || name == "," || name == ")")
      return fail(EINVAL, fmt::format("'{}' has nothing before it", name));
    return fail(EINVAL, fmt::format("unknown test or action '{}'; allowed are those of pwalk find --help", escaped(name)));
  }

  const std::vector<std::string>& words_;
  PrimarySetting setting_;
  Expression expression_;
  std::size_t at_ = 0, depth_ = 0;
  bool has_action_ = false;
};

}  // namespace

bool Expression::needs_attributes() const {
  schema::ColumnSet beyond = needs;
  beyond.erase(schema::Column::type);
  return beyond.bits() != 0;
}

Result<Expression> parse_expression(const std::vector<std::string>& words, const ExpressionSetting& setting) {
  return Parser(words, setting).parse();
}

}  // namespace pwalk::tools::find
