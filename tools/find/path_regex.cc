#include "find/path_regex.h"

#include <regex.h>

#include <array>
#include <optional>

namespace pwalk::tools::find {
namespace {

struct Syntax {
  std::string_view name;
  reg_syntax_t bits;
};

const std::array<Syntax, 13> kSyntaxes{{{"findutils-default", RE_SYNTAX_EMACS | RE_DOT_NEWLINE},
                                        {"emacs", RE_SYNTAX_EMACS},
                                        {"ed", RE_SYNTAX_ED},
                                        {"sed", RE_SYNTAX_SED},
                                        {"grep", RE_SYNTAX_GREP},
                                        {"egrep", RE_SYNTAX_EGREP},
                                        {"awk", RE_SYNTAX_AWK},
                                        {"gnu-awk", RE_SYNTAX_GNU_AWK},
                                        {"posix-awk", RE_SYNTAX_POSIX_AWK},
                                        {"posix-basic", RE_SYNTAX_POSIX_BASIC},
                                        {"posix-minimal-basic", RE_SYNTAX_POSIX_MINIMAL_BASIC},
                                        {"posix-extended", RE_SYNTAX_POSIX_EXTENDED},
                                        {"posix-egrep", RE_SYNTAX_POSIX_EGREP}}};

std::optional<reg_syntax_t> syntax_named(const std::string& name) {
  for (const Syntax& syntax : kSyntaxes)
    if (syntax.name == name) return syntax.bits;
  return std::nullopt;
}

}  // namespace

struct PathRegex::Compiled {
  re_pattern_buffer buffer{};
  ~Compiled() { ::regfree(&buffer); }
};

Result<void> PathRegex::check_type(const std::string& type) {
  if (syntax_named(type)) return {};
  std::string names;
  for (const Syntax& syntax : kSyntaxes) names += (names.empty() ? "" : ", ") + std::string(syntax.name);
  return fail(EINVAL, "allowed are " + names);
}

Result<PathRegex> PathRegex::compile(const std::string& pattern, const std::string& type, bool ignore_case) {
  PathRegex regex;
  regex.compiled_ = std::make_shared<Compiled>();
  re_set_syntax(syntax_named(type).value_or(kSyntaxes[0].bits) | (ignore_case ? RE_ICASE : 0));
  const char* problem = re_compile_pattern(pattern.data(), pattern.size(), &regex.compiled_->buffer);
  if (problem) return fail(EINVAL, problem);
  return regex;
}

bool PathRegex::matches(std::string_view path) const {
  const auto length = regoff_t(path.size());
  return re_match(&compiled_->buffer, path.data(), length, 0, nullptr) == length;
}

}  // namespace pwalk::tools::find
