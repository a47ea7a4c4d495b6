#include "failure_rule.h"

#include <array>
#include <charconv>

namespace pwalk::fuse {
namespace {

struct NamedError {
  std::string_view name;
  int value;
};
constexpr std::array kErrors{
    NamedError{"EIO", EIO},       NamedError{"ESTALE", ESTALE},   NamedError{"ETIMEDOUT", ETIMEDOUT},
    NamedError{"EACCES", EACCES}, NamedError{"ENOENT", ENOENT},   NamedError{"EINTR", EINTR},
    NamedError{"EAGAIN", EAGAIN}, NamedError{"ENOTDIR", ENOTDIR}, NamedError{"ELOOP", ELOOP},
    NamedError{"hang", 0}};

std::optional<int> error_named(std::string_view name) {
  for (const NamedError& error : kErrors)
    if (error.name == name) return error.value;
  return std::nullopt;
}

/// Splits `text` at the first `mark`; the second half is empty without one.
std::pair<std::string_view, std::string_view> split(std::string_view text, char mark) {
  const std::size_t at = text.find(mark);
  if (at == std::string_view::npos) return {text, {}};
  return {text.substr(0, at), text.substr(at + 1)};
}

}  // namespace

Result<FailureRule> parse_failure_rule(const std::string& text) {
  const auto refused =
      fail(EINVAL, "'" + text + "': allowed is REQUEST[/NAME]=ERROR[@N[+]], such as readdir/d1=EIO@2");
  const auto [what, how] = split(text, '=');
  const auto [request_word, name] = split(what, '/');
  auto [error_word, when] = split(how, '@');
  const auto request = request_named(request_word);
  const auto error = error_named(error_word);
  if (!request || !error) return refused;
  FailureRule rule{*request, std::string(name), *error, 1, when.empty()};
  if (when.empty()) return rule;
  if (when.back() == '+') {
    rule.onwards = true;
    when.remove_suffix(1);
  }
  const char* last = when.data() + when.size();
  const auto [end, bad] = std::from_chars(when.data(), last, rule.nth);
  if (bad != std::errc{} || end != last || rule.nth == 0) return refused;
  return rule;
}

std::optional<int> FailureRules::verdict(Request request, std::string_view name) {
  std::optional<int> found;
  for (Counted& counted : counted_) {
    const FailureRule& rule = counted.rule;
    if (rule.request != request || (!rule.name.empty() && rule.name != name)) continue;
    const std::uint64_t number = counted.seen.fetch_add(1, std::memory_order_relaxed) + 1;
    if (number == rule.nth || (rule.onwards && number > rule.nth)) found = rule.error;
  }
  return found;
}

}  // namespace pwalk::fuse
