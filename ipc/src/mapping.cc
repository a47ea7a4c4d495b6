#include "mapping.h"

#include <sys/mman.h>

#include <memory>
#include <utility>

#include "pwalk/base/cache_line.h"

namespace pwalk::ipc {
namespace {

namespace bip = boost::interprocess;

/// A descriptor in the form that mapped_region takes.
struct MappableFd {
  int fd;
  bip::mode_t mode;
  bip::mapping_handle_t get_mapping_handle() const {
    bip::mapping_handle_t handle{};
    handle.handle = fd;
    handle.is_xsi = false;
    return handle;
  }
  bip::mode_t get_mode() const { return mode; }
};

/// Address space held free, so that an aligned mapping can be put into it
/// without racing with another thread's mmap.
class Reservation {
 public:
  Reservation(std::size_t bytes, std::size_t alignment) : bytes_(bytes), whole_(bytes + alignment) {
    void* at = ::mmap(nullptr, whole_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) return;
    base_ = static_cast<std::byte*>(at);
    aligned_ = base_ + (align_up(std::uintptr_t(base_), alignment) - std::uintptr_t(base_));
  }
  Reservation(const Reservation&) = delete;
  Reservation& operator=(const Reservation&) = delete;
  ~Reservation() {
    if (!base_) return;
    const std::size_t front = std::size_t(aligned_ - base_);
    if (!taken_) {
      ::munmap(base_, whole_);
      return;
    }
    if (front) ::munmap(base_, front);
    const std::size_t used = front + align_up(bytes_, 4096);
    if (used < whole_) ::munmap(base_ + used, whole_ - used);
  }
  std::byte* aligned() const { return aligned_; }
  void taken() { taken_ = true; }

 private:
  std::size_t bytes_, whole_;
  std::byte* base_ = nullptr;
  std::byte* aligned_ = nullptr;
  bool taken_ = false;
};

}  // namespace

Result<Mapping> Mapping::map(int fd, std::size_t bytes, Access access, std::size_t alignment) {
  const std::string what = "cannot map " + std::to_string(bytes) + " bytes of shared memory";
  Reservation reservation(bytes, alignment);
  if (!reservation.aligned()) return fail_errno(what);
  const auto mode = access == Access::read_only ? bip::read_only : bip::read_write;
  try {
    Mapping mapping;
    mapping.region_ =
        bip::mapped_region(MappableFd{fd, mode}, mode, 0, bytes, reservation.aligned(), MAP_FIXED);
    reservation.taken();
    return mapping;
  } catch (const bip::interprocess_exception& error) {
    // A failed MAP_FIXED leaves the reservation as it was.
    return fail(error.get_native_error() ? error.get_native_error() : ENOMEM, what);
  }
}

Result<void> Mapping::keep_from_children() {
  if (::madvise(data(), size(), MADV_DONTFORK) != 0)
    return fail_errno("cannot keep memory from forked children");
  return {};
}

void Mapping::abandon() {
  // Released on purpose without a destructor.
  auto leaked = std::make_unique<bip::mapped_region>(std::move(region_));
  static_cast<void>(leaked.release());
}

}  // namespace pwalk::ipc
