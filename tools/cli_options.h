#pragma once

#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "cli/command_line.h"
#include "pwalk/publish/publish_options.h"
#include "pwalk/scan_options.h"

namespace pwalk::tools {

enum class ProgressMode : std::uint8_t { automatic, always, never };
enum class DumpFormat : std::uint8_t { none, json };

/// What pwalk-scanner itself does besides scanning.
struct OutputOptions {
  ProgressMode progress = ProgressMode::automatic;
  bool quiet = false;
  bool json = false;
  bool explain = false;
  bool version = false;
  friend bool operator==(const OutputOptions&, const OutputOptions&) = default;
};

/// For those who write documentation and bindings.
struct DumpOptions {
  DumpFormat dump_options = DumpFormat::none;
  friend bool operator==(const DumpOptions&, const DumpOptions&) = default;
};

}  // namespace pwalk::tools

namespace pwalk {
template <>
struct EnumWords<tools::ProgressMode> {
  static constexpr std::array<std::pair<std::string_view, tools::ProgressMode>, 3> words{
      {{"auto", tools::ProgressMode::automatic},
       {"always", tools::ProgressMode::always},
       {"never", tools::ProgressMode::never}}};
};
template <>
struct EnumWords<tools::DumpFormat> {
  static constexpr std::array<std::pair<std::string_view, tools::DumpFormat>, 1> words{
      {{"json", tools::DumpFormat::json}}};
};
}  // namespace pwalk

namespace pwalk::tools {

inline constexpr std::tuple kOutputSpecs{
    OptionSpec{"progress", &OutputOptions::progress, "WHEN", "progress: auto (on a terminal), always or never"},
    OptionSpec{"quiet", &OutputOptions::quiet, "", "neither progress nor summary on stderr"},
    OptionSpec{"json", &OutputOptions::json, "", "print the summary as JSON; nobody has to attach"},
    OptionSpec{"explain", &OutputOptions::explain, "", "print the plan, and why, and do not walk"},
    OptionSpec{"version", &OutputOptions::version, "", "print the version"},
};
inline constexpr std::tuple kDumpSpecs{
    OptionSpec{"dump-options", &DumpOptions::dump_options, "FORMAT", "print every option, with default and range, as json"},
};

/// What the user of pwalk-scanner asked.
struct ScannerOptions {
  ScanOptions scan;
  publish::PublishOptions publish;
  OutputOptions output;
  DumpOptions dump;
};

/// pwalk-scanner's command line, bound to `options`.
CommandLine scanner_command_line(ScannerOptions& options);

}  // namespace pwalk::tools
