#include "support/tree_builder.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <random>
#include <system_error>

#include "pwalk/base/unique_fd.h"

extern char** environ;

namespace pwalk::testing {
namespace {

void require(bool done, const char* what) {
  if (!done) throw std::system_error(errno, std::generic_category(), what);
}

/// Runs a program to its end and returns what it wrote to stdout.
std::string output_of(const std::vector<std::string>& words) {
  int ends[2];
  require(::pipe2(ends, O_CLOEXEC) == 0, "pipe");
  UniqueFd reading(ends[0]);
  std::vector<char*> argv;
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);  // find -L complains of every loop
  pid_t child = 0;
  const int refused = ::posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  if (refused != 0) throw std::system_error(refused, std::generic_category(), words[0]);
  std::string text;
  std::array<char, 65536> block;
  for (ssize_t got; (got = ::read(reading.get(), block.data(), block.size())) > 0;) text.append(block.data(), std::size_t(got));
  int status = 0;
  ::waitpid(child, &status, 0);
  return text;
}

constexpr std::array<std::string_view, 26> kOddNames{
    "-rf",  "--help", "-print", "\n",   "a\nb",  "\t",       " ",      "  x ", "\xff", "\xff\xfe", "\xc3\x28", "caf\xe9", "caf\xc3\xa9",
    "\x1b[2J", "\x7f", "...",   "..a", ".hidden", "*",      "[a-z]", "?",      "\\",   "a\\n",  "'\"`",     "%s%n",     "a,b"};

constexpr std::array<std::int64_t, 7> kOddSeconds{0, -1, 1, -12'219'292'800, 9'223'372'037, -9'223'372'037,
                                                  std::numeric_limits<std::int64_t>::max()};

/// Grows one random tree through descriptors, so that no path can be too long.
class HostileTree {
 public:
  explicit HostileTree(std::uint64_t seed) : random_(seed) {}

  void fill(int directory, unsigned depth) {
    const unsigned wanted = pick(depth == 0 ? 20 : 8) + 2;
    for (unsigned made = 0; made < wanted; ++made) add(directory, fresh_name(), depth);
  }

  void every_byte(int directory) {
    for (int byte = 1; byte < 256; ++byte) {
      const std::string name{'b', char(byte)};
      if (byte != '/') file(directory, name);
    }
  }

  void narrow_chain(int directory) {
    UniqueFd at(::dup(directory));
    for (unsigned step = 0; step < 25; ++step) {
      at = enter(at.get(), std::string(250, char('a' + step)));
      file(at.get(), "leaf");
    }
  }

 private:
  unsigned pick(unsigned bound) { return unsigned(random_() % bound); }

  std::string fresh_name() {
    std::string name = std::to_string(++serial_);
    switch (pick(4)) {
      case 0: return std::string(kOddNames[pick(kOddNames.size())]) + name;
      case 1: {
        std::string bytes;
        for (unsigned length = pick(20) + 1; length > 0; --length) bytes += char(pick(255) + 1);
        for (char& byte : bytes)
          if (byte == '/') byte = '_';
        return bytes + name;
      }
      case 2: return name + std::string(pick(8) == 0 ? 255 - name.size() : pick(60), 'n');
      default: return name;
    }
  }

  void add(int directory, const std::string& name, unsigned depth) {
    switch (pick(12)) {
      case 0:
      case 1:
      case 2:
        if (depth < 5) fill(enter(directory, name).get(), depth + 1);
        break;
      case 3: ::symlinkat(pick(2) && depth > 0 ? ".." : ".", directory, name.c_str()); break;  // never out of the tree
      case 4: ::symlinkat(pick(2) ? name.c_str() : "nowhere", directory, name.c_str()); break;
      case 5: ::mkfifoat(directory, name.c_str(), 0644); break;
      case 6: socket(directory, name); break;
      case 7: sparse(directory, name); break;
      case 8: ::linkat(directory, last_file_.c_str(), directory, name.c_str(), 0); break;
      default: file(directory, name);
    }
    if (pick(3) == 0) odd_times(directory, name);
  }

  UniqueFd enter(int directory, const std::string& name) {
    require(::mkdirat(directory, name.c_str(), 0755) == 0, "mkdirat");
    UniqueFd fd(::openat(directory, name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    require(bool(fd), "openat");
    return fd;
  }

  void file(int directory, const std::string& name) {
    UniqueFd fd(::openat(directory, name.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600 + pick(0177)));
    require(bool(fd), "creat");
    if (pick(4) == 0) require(::write(fd.get(), "content", 7) == 7, "write");
    last_file_ = name;
  }

  void sparse(int directory, const std::string& name) {
    file(directory, name);
    UniqueFd fd(::openat(directory, name.c_str(), O_WRONLY | O_CLOEXEC));
    // Filesystems differ in the largest size they take: the largest that is taken.
    for (off_t size = std::numeric_limits<off_t>::max(); size > 0 && ::ftruncate(fd.get(), size) != 0;) size /= 2;
  }

  void socket(int directory, const std::string& name) {
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = "/proc/self/fd/" + std::to_string(directory) + "/" + name;
    if (path.size() >= sizeof address.sun_path) return;
    path.copy(address.sun_path, path.size());
    ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
  }

  void odd_times(int directory, const std::string& name) {
    const timespec time{kOddSeconds[pick(kOddSeconds.size())], long(pick(1'000'000'000))};
    const timespec both[2] = {time, time};
    ::utimensat(directory, name.c_str(), both, AT_SYMLINK_NOFOLLOW);
  }

  std::mt19937_64 random_;
  unsigned serial_ = 0;
  std::string last_file_ = "none";
};

std::int64_t clamped_ns(const std::string& text) {
  const std::size_t point = text.find('.');
  const __int128 seconds = std::strtoll(text.c_str(), nullptr, 10);
  // find prints the seconds rounded down and ten digits of fraction, the last of them 0.
  const __int128 fraction = point == std::string::npos ? 0 : std::stoll(text.substr(point + 1, 9));
  const __int128 exact = seconds * 1'000'000'000 + fraction;
  const __int128 least = std::numeric_limits<std::int64_t>::min(), most = std::numeric_limits<std::int64_t>::max();
  return std::int64_t(exact < least ? least : exact > most ? most : exact);
}

}  // namespace

std::uint64_t test_seed() {
  static const std::uint64_t seed = [] {
    const char* given = std::getenv("PWALK_TEST_SEED");
    const std::uint64_t chosen = given ? std::strtoull(given, nullptr, 10) : std::random_device()();
    std::printf("PWALK_TEST_SEED=%llu\n", static_cast<unsigned long long>(chosen));
    return chosen;
  }();
  return seed;
}

ScratchDirectory::ScratchDirectory() {
  struct ::statvfs shm {};
  const bool has_room = ::statvfs("/dev/shm", &shm) == 0 && shm.f_favail > 100'000 && ::access("/dev/shm", W_OK) == 0;
  path_ = std::string(has_room ? "/dev/shm" : "/tmp") + "/pwalk-core-test.XXXXXX";
  require(::mkdtemp(path_.data()) != nullptr, "mkdtemp");
}

// rm(1) goes deeper than any path is long, and is content with few descriptors.
ScratchDirectory::~ScratchDirectory() {
  try {
    output_of({"chmod", "-R", "u+rwX", path_});
    output_of({"rm", "-rf", path_});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "left behind: %s: %s\n", path_.c_str(), error.what());
  }
}

void ScratchDirectory::make_directory(std::string_view below, unsigned mode) const {
  require(::mkdir((*this / below).c_str(), mode) == 0, "mkdir");
}

void ScratchDirectory::make_file(std::string_view below, std::uint64_t size) const {
  UniqueFd fd(::open((*this / below).c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
  require(fd && ::ftruncate(fd.get(), off_t(size)) == 0, "make_file");
}

void ScratchDirectory::make_link(std::string_view target, std::string_view below) const {
  require(::symlink(std::string(target).c_str(), (*this / below).c_str()) == 0, "symlink");
}

void build_hostile_tree(const std::string& root, std::uint64_t seed) {
  UniqueFd top(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  require(bool(top), "open");
  HostileTree tree(seed);
  tree.fill(top.get(), 0);
  if (seed % 5 == 0) tree.every_byte(top.get());
  if (seed % 7 == 0) tree.narrow_chain(top.get());
}

std::uint64_t build_chain(const std::string& root, unsigned depth, unsigned name_bytes, unsigned extra) {
  UniqueFd at(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const std::string name(name_bytes, 'c');
  for (unsigned step = 0; step < depth; ++step) {
    require(::mkdirat(at.get(), name.c_str(), 0755) == 0, "mkdirat");
    for (unsigned side = 0; side < extra; ++side)
      require(::mkdirat(at.get(), ("side" + std::to_string(side)).c_str(), 0755) == 0, "mkdirat");
    at = UniqueFd(::openat(at.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    require(bool(at), "openat");
  }
  return std::uint64_t(depth) * (1 + extra);
}

std::multimap<std::string, FoundEntry> run_find(const std::string& root, const std::vector<std::string>& options,
                                                const std::vector<std::string>& tests) {
  std::vector<std::string> words{"find"};
  words.insert(words.end(), options.begin(), options.end());
  words.push_back(root);
  words.insert(words.end(), tests.begin(), tests.end());
  words.insert(words.end(), {"-printf", "%p\\0%y\\0%i\\0%D\\0%s\\0%b\\0%m\\0%n\\0%U\\0%G\\0%d\\0%T@\\0"});
  const std::string text = output_of(words);
  std::multimap<std::string, FoundEntry> found;
  std::size_t at = 0;
  const auto field = [&] {
    const std::size_t end = text.find('\0', at);
    const std::string value = text.substr(at, end - at);
    at = end + 1;
    return value;
  };
  const auto number = [&](int base = 10) { return std::strtoull(field().c_str(), nullptr, base); };
  while (at < text.size()) {
    const std::string path = field();
    FoundEntry entry;
    entry.type = field()[0];
    entry.inode = number(), entry.device = number(), entry.size = number(), entry.blocks = number();
    entry.mode = std::uint32_t(number(8)), entry.nlink = std::uint32_t(number()), entry.uid = std::uint32_t(number());
    entry.gid = std::uint32_t(number()), entry.depth = std::uint32_t(number());
    entry.mtime = clamped_ns(field());
    found.emplace(path, entry);
  }
  return found;
}

}  // namespace pwalk::testing
