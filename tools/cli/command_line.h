#pragma once

#include <string>
#include <tuple>
#include <vector>

#include "cli/flag.h"

namespace pwalk::tools {

/// The command line of one program or command: flags from OptionSpec tuples plus
/// plain arguments. CLI11 does the splitting; what is allowed, and every message,
/// comes from the specs. Every command has -h, --help and --help-all.
///
/// A switch is `--x` and `--no-x`, the last one wins; so does the last value of
/// an option that is given twice, unless it is repeatable. `--` ends the flags.
class CommandLine {
 public:
  /// `program` as messages name it ("pwalk tail"); `usage` is what follows it on
  /// the usage line; `summary` is one line.
  CommandLine(std::string program, std::string usage, std::string summary);

  /// Adds every option of a group. Borrows `into`.
  template <class Struct, class... Values>
  void add(const std::string& heading, Struct& into, const std::tuple<OptionSpec<Struct, Values>...>& specs,
           Listing listing = Listing::line) {
    std::apply([&](const auto&... spec) { (add(make_flag(into, spec, heading, listing)), ...); }, specs);
  }
  void add(Flag flag) { flags_.push_back(std::move(flag)); }

  /// Reads the arguments into the structs. EINVAL: wrong usage; `what` is the one
  /// line that names the argument and what is allowed, control bytes escaped.
  Result<void> parse(int argc, const char* const* argv);

  /// What stood on the command line besides flags, in order.
  const std::vector<std::string>& arguments() const { return arguments_; }
  bool help() const { return help_; }
  bool help_all() const { return help_all_; }

  const std::string& program() const { return program_; }
  const std::string& usage() const { return usage_; }
  const std::string& summary() const { return summary_; }
  const std::vector<Flag>& flags() const { return flags_; }

  /// Every flag as one JSON array: for documentation and for Python.
  std::string describe_json() const;

 private:
  Result<void> refuse_unknown(const std::vector<std::string>& remaining);
  std::string unknown_option(const std::string& word) const;
  Result<void> assign(const Flag& flag, const std::vector<std::string>& values) const;

  std::string program_, usage_, summary_;
  std::vector<Flag> flags_;
  std::vector<std::string> arguments_;
  bool help_ = false, help_all_ = false;
};

}  // namespace pwalk::tools
