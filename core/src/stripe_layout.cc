#include "stripe_layout.h"

#include <cstring>

namespace pwalk {
namespace {

constexpr std::uint32_t kPlain = 0x0BD10BD0, kWithPool = 0x0BD30BD0, kComposite = 0x0BD60BD0;
constexpr std::size_t kPlainHeader = 32, kPoolHeader = 48, kCompositeHeader = 32;
constexpr std::size_t kObject = 24, kComponent = 48, kPoolName = 16;

/// Patterns of layouts without objects: archived away, or data kept on the metadata target.
constexpr std::uint32_t kReleased = 0x80000000, kDataOnMdt = 0x100;
constexpr std::uint32_t kInstantiated = 0x10;  ///< of a component: it has objects

template <class T>
T field(std::span<const std::byte> bytes, std::size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

std::string_view pool_name(std::span<const std::byte> bytes) {
  const auto* text = reinterpret_cast<const char*>(bytes.data()) + kPlainHeader;
  return {text, ::strnlen(text, kPoolName)};
}

std::optional<StripeLayout> parse_plain(std::span<const std::byte> bytes, std::size_t header) {
  if (bytes.size() < header) return std::nullopt;
  StripeLayout layout;
  layout.count = field<std::uint16_t>(bytes, 28);
  layout.size = field<std::uint32_t>(bytes, 24);
  const bool has_objects = (field<std::uint32_t>(bytes, 4) & (kReleased | kDataOnMdt)) == 0;
  if (has_objects && (bytes.size() - header) / kObject < layout.count) return std::nullopt;
  if (header == kPoolHeader) layout.pool = pool_name(bytes);
  return layout;
}

std::optional<StripeLayout> parse_simple(std::span<const std::byte> bytes) {
  if (bytes.size() < kPlainHeader) return std::nullopt;
  const auto magic = field<std::uint32_t>(bytes, 0);
  if (magic == kPlain) return parse_plain(bytes, kPlainHeader);
  if (magic == kWithPool) return parse_plain(bytes, kPoolHeader);
  return std::nullopt;
}

std::optional<StripeLayout> parse_component(std::span<const std::byte> bytes, std::size_t entry) {
  const std::size_t offset = field<std::uint32_t>(bytes, entry + 24), size = field<std::uint32_t>(bytes, entry + 28);
  if (offset > bytes.size() || size > bytes.size() - offset) return std::nullopt;
  return parse_simple(bytes.subspan(offset, size));
}

std::optional<StripeLayout> parse_composite(std::span<const std::byte> bytes) {
  const std::size_t count = field<std::uint16_t>(bytes, 14);
  if ((bytes.size() - kCompositeHeader) / kComponent < count) return std::nullopt;
  std::optional<StripeLayout> last, last_with_objects;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t entry = kCompositeHeader + i * kComponent;
    last = parse_component(bytes, entry);
    if (!last) return std::nullopt;
    if (field<std::uint32_t>(bytes, entry + 4) & kInstantiated) last_with_objects = last;
  }
  return last_with_objects ? last_with_objects : last;
}

}  // namespace

std::optional<StripeLayout> parse_lustre_layout(std::span<const std::byte> bytes) {
  if (bytes.size() < kCompositeHeader) return std::nullopt;
  if (field<std::uint32_t>(bytes, 0) == kComposite) return parse_composite(bytes);
  return parse_simple(bytes);
}

}  // namespace pwalk
