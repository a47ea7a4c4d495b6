#include "run/program_check.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "pwalk/base/unique_fd.h"

namespace pwalk::run {
namespace {

constexpr int kMostInterpreters = 5;  ///< as the kernel: a script's interpreter may be a script
constexpr std::size_t kHeadBytes = 4096;
constexpr std::size_t kMostHeaders = 64;

struct Head {
  std::array<char, kHeadBytes> bytes{};
  std::size_t size = 0;
  std::string_view text() const { return {bytes.data(), size}; }
};

bool is_privileged(int fd, const struct stat& facts) {
  return facts.st_mode & (S_ISUID | S_ISGID) || ::fgetxattr(fd, "security.capability", nullptr, 0) > 0;
}

/// The interpreter that a script's first line names; empty if none.
std::string script_interpreter(std::string_view head) {
  head = head.substr(2, head.find('\n') - 2);
  const auto from = head.find_first_not_of(" \t");
  if (from == std::string_view::npos) return {};
  head.remove_prefix(from);
  return std::string(head.substr(0, head.find_first_of(" \t")));
}

/// The loader an ELF file asks for; empty: none. nullopt: the file cannot be understood.
std::optional<std::string> loader_of(int fd, const Head& head) {
  Elf64_Ehdr header{};
  if (head.size < sizeof header) return std::nullopt;
  std::memcpy(&header, head.bytes.data(), sizeof header);
  if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum > kMostHeaders) return std::nullopt;
  std::array<Elf64_Phdr, kMostHeaders> segments{};
  const std::size_t wanted = header.e_phnum * sizeof(Elf64_Phdr);
  if (::pread(fd, segments.data(), wanted, off_t(header.e_phoff)) != ssize_t(wanted)) return std::nullopt;
  for (std::size_t i = 0; i < header.e_phnum; ++i) {
    if (segments[i].p_type != PT_INTERP) continue;
    std::array<char, 256> path{};
    const std::size_t length = std::min<std::size_t>(segments[i].p_filesz, path.size() - 1);
    if (::pread(fd, path.data(), length, off_t(segments[i].p_offset)) != ssize_t(length)) return std::nullopt;
    return std::string(path.data());
  }
  return std::string();
}

std::optional<Head> head_of(int fd) {
  Head head;
  const ssize_t got = ::pread(fd, head.bytes.data(), head.bytes.size(), 0);
  if (got < 0) return std::nullopt;
  head.size = std::size_t(got);
  return head;
}

/// The loader that this process runs under: what programs must share with the library.
const std::string& own_loader() {
  static const std::string loader = [] {
    const UniqueFd self(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
    if (!self) return std::string();
    const auto head = head_of(self.get());
    return head ? loader_of(self.get(), *head).value_or("") : std::string();
  }();
  return loader;
}

std::optional<std::string> why_not_elf(int fd, const Head& head) {
  const char wanted_class = sizeof(void*) == 8 ? ELFCLASS64 : ELFCLASS32;
  if (head.size <= EI_CLASS || head.bytes[EI_CLASS] != wanted_class) return "is made for another machine";
  const auto loader = loader_of(fd, head);
  if (!loader) return std::nullopt;
  if (loader->empty()) return "is statically linked";
  if (!own_loader().empty() && *loader != own_loader()) return "is loaded by " + *loader + ", not by " + own_loader();
  return std::nullopt;
}

}  // namespace

std::optional<std::string> find_program(const std::string& command) {
  if (command.empty()) return std::nullopt;
  if (command.find('/') != std::string::npos) return command;
  const char* search = std::getenv("PATH");
  const std::string list = search ? search : "/bin:/usr/bin";
  for (std::size_t from = 0; from <= list.size();) {
    const std::size_t colon = std::min(list.find(':', from), list.size());
    std::string candidate = list.substr(from, colon - from);
    if (!candidate.empty()) candidate += '/';
    candidate += command;
    struct stat facts {};
    if (::stat(candidate.c_str(), &facts) == 0 && S_ISREG(facts.st_mode) && ::access(candidate.c_str(), X_OK) == 0)
      return candidate;
    from = colon + 1;
  }
  return std::nullopt;
}

std::optional<std::string> why_not_preloadable(const std::string& program) {
  std::string file = program;
  for (int depth = 0; depth < kMostInterpreters; ++depth) {
    const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat facts {};
    if (!fd || ::fstat(fd.get(), &facts) != 0 || !S_ISREG(facts.st_mode)) return std::nullopt;
    const auto head = head_of(fd.get());
    if (!head) return std::nullopt;
    if (head->text().starts_with("#!")) {  // the mode bits of a script mean nothing to the kernel
      file = script_interpreter(head->text());
      continue;
    }
    if (!head->text().starts_with(ELFMAG)) return std::nullopt;
    const std::string by = file == program ? "" : "is run by '" + file + "', which ";
    if (is_privileged(fd.get(), facts)) return by + "runs with privileges of its own (setuid, setgid or capabilities)";
    if (auto why = why_not_elf(fd.get(), *head)) return by + *why;
    return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace pwalk::run
