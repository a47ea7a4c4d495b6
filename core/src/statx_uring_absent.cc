// Where liburing was missing at build time.
#include "statx_uring.h"

namespace pwalk {

struct StatxUring::Impl {};
StatxUring::StatxUring(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
StatxUring::~StatxUring() = default;
Result<std::unique_ptr<StatxUring>> StatxUring::create(Limits, const std::atomic<bool>*) {
  return fail(ENOTSUP, "this pwalk was built without liburing");
}
void StatxUring::begin(int, std::span<const char* const>, int, unsigned) {}
int StatxUring::take(struct ::statx&) { return -ENOTSUP; }
void StatxUring::end() {}
std::string StatxUring::explain() const { return {}; }

}  // namespace pwalk
