#include "text/mode_text.h"

#include <sys/stat.h>

namespace pwalk::tools {

char type_letter(std::uint32_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG: return 'f';
    case S_IFDIR: return 'd';
    case S_IFLNK: return 'l';
    case S_IFBLK: return 'b';
    case S_IFCHR: return 'c';
    case S_IFIFO: return 'p';
    case S_IFSOCK: return 's';
    default: return '?';
  }
}

std::string mode_text(std::uint32_t mode) {
  const char type = type_letter(mode);
  std::string text{type == 'f' ? '-' : type};
  for (const unsigned shift : {6u, 3u, 0u}) {
    text += mode >> shift & 4 ? 'r' : '-';
    text += mode >> shift & 2 ? 'w' : '-';
    text += mode >> shift & 1 ? 'x' : '-';
  }
  const auto special = [&](std::uint32_t bit, std::size_t at, char with_x, char without_x) {
    if (mode & bit) text[at] = text[at] == 'x' ? with_x : without_x;
  };
  special(S_ISUID, 3, 's', 'S');
  special(S_ISGID, 6, 's', 'S');
  special(S_ISVTX, 9, 't', 'T');
  return text;
}

}  // namespace pwalk::tools
