#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "layout.h"
#include "pwalk/ipc/consumer.h"

/// What is said over a scan's SEQPACKET socket: fixed-size messages, each one
/// packet, each with its own length. The receiver believes nothing but what it
/// checks here and by the descriptors' seals.
///
///   consumer ──► hello [its pidfd, if it is taken]    ──► scanner
///            ◄── welcome [control, pool, consumer, eventfd, scanner's pidfd, perhaps ledger]
///            ◄── refused
///            ──► detach
///   anybody  ──► status_request ◄── status, then the scanner closes
namespace pwalk::ipc {

enum class MessageKind : std::uint16_t { hello = 1, detach, status_request, welcome = 64, refused, status };

struct MessageHeader {
  static constexpr std::uint32_t kMagic = 0x4b4c5750;  // "PWLK"
  std::uint32_t magic = kMagic;
  std::uint16_t version = kLayoutVersion;
  MessageKind kind{};
  std::uint32_t length = 0;  ///< of the whole message
  std::uint32_t reserved = 0;
};
static_assert(sizeof(MessageHeader) == 16);

/// A short text in a message: bytes up to the first NUL.
template <std::size_t N>
struct Text {
  std::array<char, N> bytes{};
  void set(std::string_view text) {
    bytes.fill(0);
    std::copy_n(text.begin(), std::min(text.size(), N - 1), bytes.begin());
  }
  std::string get() const { return {bytes.data(), ::strnlen(bytes.data(), N)}; }
};

struct Hello {
  static constexpr MessageKind kKind = MessageKind::hello;
  MessageHeader header;
  std::uint8_t start = 0;  ///< StartAt
  std::uint8_t reads_on = 0;  ///< 1: it has the scan's image open, and reads on there if it is evicted
  std::array<std::uint8_t, 6> reserved{};
  Text<64> label;
  Text<kMostGroupName + 1> group;  ///< whose member it wants to be; "" for none
};
static_assert(sizeof(Hello) == 152);

struct Detach {
  static constexpr MessageKind kKind = MessageKind::detach;
  MessageHeader header;
};

struct StatusRequest {
  static constexpr MessageKind kKind = MessageKind::status_request;
  MessageHeader header;
};

struct Welcome {
  static constexpr MessageKind kKind = MessageKind::welcome;
  MessageHeader header;
  ScanId scan_id{};
  std::uint64_t missed_rows = 0;
  std::uint32_t grant_blocks = 0;
  std::uint32_t member = 0;  ///< its number, with a group
  Text<72> name;
};
static_assert(sizeof(Welcome) == 120);
/// The descriptors that come with a welcome, in this order; the ledger only to members of a group.
enum WelcomeFd : std::size_t { kControlFd, kPoolFd, kConsumerFd, kKickFd, kScannerFd, kWelcomeFds, kLedgerFd = kWelcomeFds };

struct Refused {
  static constexpr MessageKind kKind = MessageKind::refused;
  MessageHeader header;
  std::uint32_t error = 0;  ///< errno
  std::uint32_t reserved = 0;
  std::uint64_t missed_rows = 0;  ///< with ENODATA
  Text<192> text;
};
static_assert(sizeof(Refused) == 224);

/// Longest status: its JSON text follows the header.
inline constexpr std::size_t kMostStatusBytes = 64 * 1024;

/// A message of type M with its header filled in.
template <class M>
M make_message() {
  M message{};
  message.header.kind = M::kKind;
  message.header.length = sizeof(M);
  return message;
}

/// The header of a packet, if it has one, the length is the packet's, and the version ours.
inline std::optional<MessageHeader> parse_header(std::span<const std::byte> packet) {
  MessageHeader header;
  if (packet.size() < sizeof header) return std::nullopt;
  std::memcpy(&header, packet.data(), sizeof header);
  if (header.magic != MessageHeader::kMagic || header.version != kLayoutVersion ||
      header.length != packet.size())
    return std::nullopt;
  return header;
}

/// A packet as an M, if it is one in full.
template <class M>
std::optional<M> parse_message(std::span<const std::byte> packet) {
  static_assert(std::is_trivially_copyable_v<M>);
  const auto header = parse_header(packet);
  if (!header || header->kind != M::kKind || packet.size() != sizeof(M)) return std::nullopt;
  M message;
  std::memcpy(&message, packet.data(), sizeof message);
  return message;
}

}  // namespace pwalk::ipc
