#include <fmt/format.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "browse/place.h"
#include "commands/command.h"
#include "commands/usage.h"
#include "process/message.h"
#include "run/program_check.h"
#include "run/run_environment.h"
#include "text/escape.h"

namespace pwalk::tools {

enum class FileContents : std::uint8_t { refuse, real };
struct RunOptions {
  FileContents contents = FileContents::refuse;
};

}  // namespace pwalk::tools

namespace pwalk {
template <>
struct EnumWords<tools::FileContents> {
  static constexpr std::array<std::pair<std::string_view, tools::FileContents>, 2> words{
      {{"refuse", tools::FileContents::refuse}, {"real", tools::FileContents::real}}};
};
}  // namespace pwalk

namespace pwalk::tools {
namespace {

using schema::Column;

constexpr const char* kProgram = "pwalk run";
// As env(1) and nohup(1), so that they are told apart from the program's own.
constexpr int kCannotRun = 126, kNotFound = 127;

constexpr std::tuple kRunSpecs{
    OptionSpec{"contents", &RunOptions::contents, "WHAT",
               "refuse files' contents, or open the real ones (refuse: ENODATA, and nothing touches the tree)"},
};

/// The library lies beside this program (a build, a wheel) or where it is installed.
std::string find_library() {
  char self[PATH_MAX];
  const ssize_t length = ::readlink("/proc/self/exe", self, sizeof self);
  if (length <= 0) return {};
  std::string directory(self, std::size_t(length));
  directory.resize(directory.rfind('/'));
  for (const std::string& place : {directory, directory + "/../" PWALK_LIBRARY_DIR}) {
    char resolved[PATH_MAX];
    if (::realpath((place + "/" + run::kLibraryName).c_str(), resolved)) return resolved;
  }
  return {};
}

int refuse(int code, const std::string& why) {
  say(kProgram, why);
  return code;
}

/// What hinders the library from reaching the program, or 0.
int check_library(const std::string& library) {
  if (library.empty()) return refuse(kCutShort, fmt::format("{} is not there; it belongs beside the pwalk program", run::kLibraryName));
  // The dynamic loader splits LD_PRELOAD at both.
  if (library.find_first_of(": ") != std::string::npos)
    return refuse(kCutShort, fmt::format("'{}' cannot be preloaded: its path has a space or a colon", escaped(library)));
  return 0;
}

/// What stat(2) tells of every entry.
constexpr schema::ColumnSet kStatColumns{Column::inode, Column::device, Column::size, Column::blocks, Column::mode, Column::nlink,
                                         Column::uid,   Column::gid,    Column::atime, Column::mtime, Column::ctime};

std::string names_of(schema::ColumnSet columns) {
  std::string names;
  for (const Column column : columns) names += fmt::format("{}{}", names.empty() ? "" : ", ", name_of(column));
  return names;
}

/// Zeros stand for what the scan did not fetch, and programs cannot tell them from facts. Where every inode is zero,
/// find and du take each directory for a loop: not 0 then.
int check_columns(const ResultsFilesystem& results) {
  const schema::ColumnSet missing = kStatColumns - results.facts().columns;
  if (missing.empty()) return 0;
  if (missing.has(Column::inode))
    return refuse(kCannotRun, "the scan did not fetch 'inode', by which programs tell directories apart; scan without --columns, or with it in the list");
  say(kProgram, fmt::format("the scan did not fetch {}: programs see zeros there", names_of(missing)));
  return 0;
}

void set_environment(const std::string& image, const std::string& library, FileContents contents) {
  const char* set = ::getenv(run::kPreloadVariable);
  ::setenv(run::kPreloadVariable, set && *set ? (library + ":" + set).c_str() : library.c_str(), 1);
  ::setenv(run::kImageVariable, image.c_str(), 1);
  ::setenv(run::kContentsVariable, contents == FileContents::real ? "real" : "refuse", 1);
  ::unsetenv(run::kDirectoryVariable);
}

std::string absolute(const std::string& file) {
  char resolved[PATH_MAX];
  return ::realpath(file.c_str(), resolved) ? resolved : file;
}

int start(char* const* command, const ResultsFilesystem& results, FileContents contents) {
  if (const int code = check_columns(results)) return code;
  const auto program = run::find_program(command[0]);
  if (!program) return refuse(kNotFound, fmt::format("'{}': no such program", escaped(command[0])));
  if (const auto why = run::why_not_preloadable(*program))
    return refuse(kCannotRun, fmt::format("'{}' {}, so it would see the real tree", escaped(command[0]), escaped(*why)));
  const std::string library = find_library();
  if (const int code = check_library(library)) return code;
  set_environment(absolute(results.file()), library, contents);
  ::execv(program->c_str(), command);
  const int error = errno;
  return refuse(error == ENOENT ? kNotFound : kCannotRun, fmt::format("'{}': {}", escaped(command[0]), std::strerror(error)));
}

}  // namespace

int run_run(int argc, const char* const* argv) {
  RunOptions options;
  CommandLine command_line(kProgram, "[options] [SCAN] -- COMMAND [ARGUMENT...]",
                           "Runs a program that sees the scanned tree at its own paths, from an image.");
  command_line.add("Options", options, kRunSpecs);
  const auto dashes = std::find_if(argv + 1, argv + argc, [](const char* word) { return std::strcmp(word, "--") == 0; });
  if (auto code = parse_or_exit(command_line, int(dashes - argv), argv, 1)) return *code;
  if (dashes == argv + argc || dashes + 1 == argv + argc)
    return refuse(kUsage, "no COMMAND given; it follows two dashes: pwalk run SCAN -- find /path");
  const auto places = places_or_complain(kProgram, {command_line.arguments()});
  if (places.empty()) return kCutShort;
  return start(const_cast<char* const*>(dashes + 1), places.front().results, options.contents);
}

}  // namespace pwalk::tools
