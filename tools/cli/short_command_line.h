#pragma once

#include <optional>
#include <string>
#include <vector>

namespace pwalk::tools {

/// One option of a command that takes after a classic program: `-d N`, `-dN`,
/// `--max-depth N`, `--max-depth=N`, and `-sh` for `-s -h`.
struct ShortOption {
  char letter;             ///< 0: it has only its long name
  const char* name;        ///< without dashes
  const char* value_name;  ///< nullptr: a switch
  const char* help;        ///< one line
};

/// The command line of ls, du and the like: getopt_long(3) splits it. `--help`
/// prints; `-h` is theirs.
class ShortCommandLine {
 public:
  struct Given {
    std::string name;  ///< of the option, long
    std::string value;
  };

  ShortCommandLine(std::string program, std::string usage, std::string summary, std::vector<ShortOption> options)
      : program_(std::move(program)), usage_(std::move(usage)), summary_(std::move(summary)), options_(std::move(options)) {}

  /// An exit code when there is nothing to do afterwards: help was printed, or the
  /// usage is wrong and a line said so.
  std::optional<int> parse_or_exit(int argc, const char* const* argv);

  const std::vector<Given>& given() const { return given_; }  ///< in order: often the last one counts
  const std::vector<std::string>& arguments() const { return arguments_; }
  const std::string& program() const { return program_; }

  /// Says what is wrong and returns the exit code for it.
  int refuse(const std::string& why) const;

 private:
  std::string help() const;
  std::string describe_json() const;
  int refuse_option(const std::vector<char*>& words, int at, int letter) const;

  std::string program_, usage_, summary_;
  std::vector<ShortOption> options_;
  std::vector<Given> given_;
  std::vector<std::string> arguments_;
};

}  // namespace pwalk::tools
