#include "stripe_layout.h"

#include <cstddef>
#include <cstring>

namespace pwalk::fuse {
namespace {

constexpr std::size_t kObjectBytes = 24;

/// Host-endian fields at fixed offsets, as the file systems' clients deliver them.
class Blob {
 public:
  explicit Blob(std::size_t size) : bytes_(size, '\0') {}
  template <class T>
  Blob& put(std::size_t at, T value) {
    std::memcpy(bytes_.data() + at, &value, sizeof value);
    return *this;
  }
  Blob& put(std::size_t at, std::string_view text) {
    std::memcpy(bytes_.data() + at, text.data(), text.size());
    return *this;
  }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

Blob stripes(std::uint32_t magic, std::size_t header, std::uint32_t stripe_size, std::uint16_t count) {
  Blob blob(header + count * kObjectBytes);
  blob.put(0, magic).put(4, std::uint32_t{1}).put(24, stripe_size).put(28, count);
  for (std::size_t i = 0; i < count; ++i) blob.put(header + i * kObjectBytes + 20, std::uint32_t(i));
  return blob;
}

std::string v1() {
  return stripes(0x0BD10BD0, 32, 1u << 20, 4).take();
}

std::string v3() {
  return stripes(0x0BD30BD0, 48, 4u << 20, 2).put(32, std::string_view("flash")).take();
}

void put_component(Blob& blob, unsigned number, std::uint64_t from, std::uint64_t to, std::uint32_t offset,
                   std::uint32_t size) {
  const std::size_t at = 32 + number * 48;
  blob.put(at, number + 1).put(at + 8, from).put(at + 16, to).put(at + 24, offset).put(at + 28, size);
}

std::string composite(std::uint32_t second_offset) {
  const std::string first = v1(), second = v3();
  const std::size_t header = 32 + 2 * 48;
  Blob blob(header + first.size() + second.size());
  blob.put(0, 0x0BD60BD0u)
      .put(4, std::uint32_t(header + first.size() + second.size()))
      .put(14, std::uint16_t{2});
  put_component(blob, 0, 0, 64u << 20, std::uint32_t(header), std::uint32_t(first.size()));
  put_component(blob, 1, 64u << 20, ~0ull,
                second_offset ? second_offset : std::uint32_t(header + first.size()),
                std::uint32_t(second.size()));
  return blob.put(header, std::string_view(first))
      .put(header + first.size(), std::string_view(second))
      .take();
}

}  // namespace

std::string lustre_layout(Layout layout) {
  switch (layout) {
    case Layout::none:
      return {};
    case Layout::v1:
      return v1();
    case Layout::v3:
      return v3();
    case Layout::composite:
      return composite(0);
    case Layout::cut_short:
      return v1().substr(0, 10);
    case Layout::oversized_count:
      return stripes(0x0BD10BD0, 32, 1u << 20, 4).put(28, std::uint16_t{60000}).take();
    case Layout::far_component:
      return composite(0xFFFFFFF0u);
  }
  return {};
}

std::string lustre_directory_layout(std::uint32_t count, std::uint32_t mdt) {
  return Blob(48).put(0, 0x0CD20CD0u).put(4, count).put(8, mdt).put(12, std::uint32_t{2}).take();
}

std::string beegfs_stripe(std::uint32_t chunk, std::uint16_t targets) {
  return Blob(12).put(0, std::uint32_t{1}).put(4, chunk).put(8, targets).take();
}

std::string beegfs_entry(std::uint32_t owner) {
  return Blob(68).put(0, owner).take();
}

}  // namespace pwalk::fuse
