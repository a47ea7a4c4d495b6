#pragma once

#include <string>
#include <string_view>

namespace pwalk::tools {

/// With this for its only argument a command prints what it is, as JSON: man pages and
/// completions are made of it.
inline constexpr std::string_view kDumpOptions = "--dump-options=json";

/// {"program","usage","summary","options"}; `options` is JSON already.
std::string describe(const std::string& program, const std::string& usage, const std::string& summary, const std::string& options);

}  // namespace pwalk::tools
