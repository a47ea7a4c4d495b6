// Prints what many functions of libc say of a tree: run_probe TREE. The same on the real tree and below `pwalk run`.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int shown(const char* path, const struct stat* facts, int type, struct FTW* place) {
  printf("nftw %s %lld %d %d %s\n", path, (long long)facts->st_ino, type, place->level, path + place->base);
  return 0;
}
static int counted(const char* path, const struct stat* facts, int type) {
  printf("ftw %s %lld %d\n", path, (long long)facts->st_ino, type);
  return 0;
}
static int no_dots(const struct dirent* entry) { return entry->d_name[0] != '.'; }

static void show_scandir(const char* tree) {
  struct dirent** names;
  int count = scandir(tree, &names, no_dots, alphasort);
  for (int i = 0; i < count; ++i) printf("scandir %s %d\n", names[i]->d_name, names[i]->d_type), free(names[i]);
  free(names);
}

static void show_glob(const char* tree) {
  char pattern[4096];
  glob_t found;
  snprintf(pattern, sizeof pattern, "%s/*/*", tree);
  printf("glob %d\n", glob(pattern, GLOB_MARK, NULL, &found));
  for (size_t i = 0; i < found.gl_pathc; ++i) printf("glob %s\n", found.gl_pathv[i]);
  globfree(&found);
}

static int entries_left(DIR* directory) {
  int count = 0;
  while (readdir(directory)) ++count;
  return count;
}

static void show_positions(const char* tree) {
  DIR* directory = opendir(tree);
  readdir(directory);
  readdir(directory);
  long position = telldir(directory);
  int left = entries_left(directory);
  seekdir(directory, position);
  printf("left %d and again %d", left, entries_left(directory));
  rewinddir(directory);
  printf(", of all %d\n", entries_left(directory));
  closedir(directory);
}

static void show_descriptors(const char* tree) {
  char buffer[4096];
  struct stat facts, again;
  int fd = open(tree, O_RDONLY | O_DIRECTORY), copy = fcntl(fd, F_DUPFD, 50);
  fstat(copy, &facts);
  long first = syscall(SYS_getdents64, fd, buffer, sizeof buffer), second = syscall(SYS_getdents64, copy, buffer, sizeof buffer);
  printf("records %d then %ld, copy %d\n", first > 0, second, copy);
  lseek(copy, 0, SEEK_SET);
  printf("rewound %d\n", syscall(SYS_getdents64, fd, buffer, sizeof buffer) == first);
  dup2(fd, copy);
  close(fd);
  printf("closed %d %s, ", fstat(fd, &again), strerror(errno));
  printf("still %d, read %zd %s, ", fstat(copy, &again) == 0 && again.st_ino == facts.st_ino, read(copy, buffer, 1), strerror(errno));
  printf("at %d %d\n", faccessat(copy, "below/file", R_OK, 0), faccessat(copy, "nothing", F_OK, 0));
  DIR* directory = fdopendir(copy);
  printf("dirfd %d\n", dirfd(directory) == copy);
  closedir(directory);
  printf("gone %d\n", fcntl(copy, F_GETFD));
}

int main(int argc, char** argv) {
  const char* tree = argv[argc - 1];
  printf("%d\n", nftw(tree, shown, 8, FTW_PHYS) + nftw(tree, shown, 8, FTW_PHYS | FTW_DEPTH | FTW_MOUNT));
  printf("%d\n", ftw(tree, counted, 8));
  show_scandir(tree);
  show_glob(tree);
  show_positions(tree);
  show_descriptors(tree);
  char* real = realpath(tree, NULL);
  printf("%s %ld\n", real, pathconf(tree, _PC_NAME_MAX));
  free(real);
  return 0;
}
