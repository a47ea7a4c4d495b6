// Names of sockets: bind makes one, connect looks one up.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>
#include <string>

#include "run/preload/path_lookup.h"

using namespace pwalk::run;

namespace {

constexpr std::size_t kPathAt = offsetof(sockaddr_un, sun_path);

/// The path of a socket's address; empty: it has none.
std::string path_of(const sockaddr* address, socklen_t length) {
  if (!address || length <= kPathAt || address->sa_family != AF_UNIX) return {};
  const char* path = reinterpret_cast<const sockaddr_un*>(address)->sun_path;
  return std::string(path, ::strnlen(path, length - kPathAt));
}

/// libc's call with the address as it was given, or with the path that is meant by it.
template <class Real>
int call_real(Call& call, const std::string& given, const char* meant, const sockaddr* address, socklen_t length, Real real) {
  if (!meant || meant == given) return call.pass(real, address, length);
  sockaddr_un moved{};
  if (std::strlen(meant) >= sizeof moved.sun_path) return call.fail(ENAMETOOLONG);
  moved.sun_family = AF_UNIX;
  std::strcpy(moved.sun_path, meant);
  return call.pass(real, reinterpret_cast<const sockaddr*>(&moved), socklen_t(sizeof moved));
}

}  // namespace

PWALK_TAKES int bind(int socket, const struct sockaddr* address, socklen_t length) {
  Call call;
  const std::string path = path_of(address, length);
  const Located where = path.empty() ? Located{} : locate(call, AT_FDCWD, path.c_str(), {.follow = false});
  if (where.inside) return call.fail(where.error == 0 ? EADDRINUSE : where.error == ENOENT ? EROFS : where.error);
  return call_real(call, path, where.path, address, length,
                   [=](const sockaddr* real, socklen_t size) { return PWALK_REAL(bind)(socket, real, size); });
}

/// Nobody listens in an image.
PWALK_TAKES int connect(int socket, const struct sockaddr* address, socklen_t length) {
  Call call;
  const std::string path = path_of(address, length);
  Located where = path.empty() ? Located{} : locate(call, AT_FDCWD, path.c_str());
  if (where.inside) {
    if (where.error) return call.fail(where.error);
    if (call.tree()->contents() == Contents::refuse) return call.fail(ECONNREFUSED);
    point_to_real(where);
  }
  return call_real(call, path, where.path, address, length,
                   [=](const sockaddr* real, socklen_t size) { return PWALK_REAL(connect)(socket, real, size); });
}
