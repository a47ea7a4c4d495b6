// Makes a tree to measure on; the same arguments make the same tree.
//
//   make_tree mix DIRECTORY FILES DIRECTORIES [SEED]     files over a random tree, log-normal numbers per directory
//   make_tree flat DIRECTORY FILES                       all files in one directory
//   make_tree chain DIRECTORY CHAINS LEVELS              chains of directories, one file on each level
//
// Files are sparse: sizes cost no space. Prints what was made.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

namespace {

constexpr unsigned kDeepest = 12;  ///< levels of a mixed tree

[[noreturn]] void give_up(const std::string& what) {
  std::fprintf(stderr, "make_tree: %s: %s\n", what.c_str(), std::strerror(errno));
  std::exit(1);
}

[[noreturn]] void refuse() {
  std::fprintf(stderr,
               "usage: make_tree mix DIRECTORY FILES DIRECTORIES [SEED]\n"
               "       make_tree flat DIRECTORY FILES\n"
               "       make_tree chain DIRECTORY CHAINS LEVELS\n");
  std::exit(2);
}

std::uint64_t count_in(const char* text) {
  char* end = nullptr;
  const std::uint64_t count = std::strtoull(text, &end, 10);
  if (*text < '0' || *text > '9' || *end != 0) refuse();
  return count;
}

class TreeMaker {
 public:
  TreeMaker(const std::string& root, std::uint64_t seed) : root_(root), random_(seed) {
    if (mkdir(root.c_str(), 0755) != 0 && errno != EEXIST) give_up(root);
  }

  void mix(std::uint64_t files, std::uint64_t directories) {
    const std::vector<std::string> paths = random_directories(directories);
    std::lognormal_distribution<double> share(0, 1.3);
    std::vector<double> weights(paths.size());
    double total = 0;
    for (double& weight : weights) total += weight = share(random_);
    double owed = 0;  // carries the fractions along, so that the sum comes out right
    for (std::size_t at = 0; at < paths.size(); ++at) {
      owed += weights[at] / total * double(files);
      const auto here = std::uint64_t(std::llround(std::floor(owed + 1e-9)));
      owed -= double(here);
      fill(paths[at], here);
    }
  }

  void flat(std::uint64_t files) { fill(root_, files); }

  void chains(std::uint64_t chains, std::uint64_t levels) {
    for (std::uint64_t chain = 0; chain < chains; ++chain) {
      int fd = open_directory(root_);
      for (std::uint64_t level = 0; level < levels; ++level) {
        const std::string name = "c" + std::to_string(chain) + "-" + std::to_string(level);
        if (mkdirat(fd, name.c_str(), 0755) != 0) give_up(name);
        ++made_directories_;
        const int inner = openat(fd, name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (inner < 0) give_up(name);
        close(fd);
        fd = inner;
        add_file(fd);
      }
      close(fd);
    }
  }

  void report() const {
    std::printf("%lu files and %lu directories below %s\n", made_files_, made_directories_, root_.c_str());
  }

 private:
  std::vector<std::string> random_directories(std::uint64_t count) {
    std::vector<std::string> paths{root_};
    std::vector<unsigned> depths{0};
    while (paths.size() < count) {
      const std::size_t parent = std::uniform_int_distribution<std::size_t>(0, paths.size() - 1)(random_);
      if (depths[parent] >= kDeepest) continue;
      paths.push_back(paths[parent] + "/dir-" + std::to_string(paths.size()));
      depths.push_back(depths[parent] + 1);
      if (mkdir(paths.back().c_str(), 0755) != 0) give_up(paths.back());
      ++made_directories_;
    }
    return paths;
  }

  static int open_directory(const std::string& path) {
    const int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) give_up(path);
    return fd;
  }

  void fill(const std::string& path, std::uint64_t files) {
    const int fd = open_directory(path);
    for (; files > 0; --files) add_file(fd);
    close(fd);
  }

  void add_file(int directory) {
    static constexpr const char* kSuffixes[] = {"txt", "c", "h", "py", "json", "log", "png", "fastq.gz", "bam.bai"};
    const std::uint64_t chance = random_();
    const std::string name = "file-" + std::to_string(made_files_) + "-" + std::to_string(chance % 100000) + "." +
                             kSuffixes[chance / 100000 % std::size(kSuffixes)];
    const int fd = openat(directory, name.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
    if (fd < 0) give_up(name);
    if (ftruncate(fd, off_t(std::lognormal_distribution<double>(9, 2.5)(random_))) != 0) give_up(name);
    close(fd);
    ++made_files_;
  }

  std::string root_;
  std::mt19937_64 random_;
  std::uint64_t made_files_ = 0, made_directories_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) refuse();
  const std::string shape = argv[1];
  const std::uint64_t files = count_in(argv[3]);
  const std::uint64_t second = argc > 4 ? count_in(argv[4]) : 0;
  TreeMaker maker(argv[2], argc > 5 ? count_in(argv[5]) : 1);
  if (shape == "mix" && second > 0)
    maker.mix(files, second);
  else if (shape == "flat" && argc == 4)
    maker.flat(files);
  else if (shape == "chain" && second > 0)
    maker.chains(files, second);
  else
    refuse();
  maker.report();
}
