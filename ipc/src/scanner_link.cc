#include "scanner_link.h"

#include <errno.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <thread>

#include "control_socket.h"
#include "memfd.h"
#include "messages.h"
#include "scan_lookup.h"

namespace pwalk::ipc {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

/// A wait that may be longer is as long, and does not overflow the clock.
constexpr std::chrono::hours kForEver{24 * 365};
/// Between two looks for a scan that is not there yet.
constexpr milliseconds kShortestPause{1}, kSlice{50};
/// A live scanner answers within its control thread's round; a stopped one never.
constexpr milliseconds kAnswerTimeout{10'000};

Result<void> say_hello(int socket, const AttachOptions& options, bool reads_on) {
  auto hello = make_message<Hello>();
  hello.start = std::uint8_t(options.start);
  hello.reads_on = reads_on;
  hello.group.set(options.group);
  hello.label.set(options.label.empty() ? program_invocation_short_name : options.label.c_str());
  const auto self = ProcessHandle::self();
  if (!self) return tl::unexpected(self.error());
  const std::array fds{self->fd()};
  auto said = send_message(socket, hello, fds);
  // A kernel that can refuse descriptors tells the scanner who we are.
  if (!said && said.error().code == EPERM) said = send_message(socket, hello);
  return said;
}

tl::unexpected<Error> refusal(const Refused& refused, const std::string& name) {
  if (refused.error == ENODATA)
    return fail(ENODATA, fmt::format("{} entries of the scan '{}' are gone, the pool has been reused",
                                     refused.missed_rows, name));
  return fail(int(refused.error), fmt::format("the scan '{}' refused: {}", name, refused.text.get()));
}

Result<ScannerLink> map_everything(FoundScan found, const Welcome& welcome, std::vector<UniqueFd> fds) {
  ScannerLink link;
  auto control = ControlMemory::open(std::move(fds[kControlFd]));
  if (!control) return tl::unexpected(control.error());
  link.control = *std::move(control);
  const ScanGeometry& geometry = link.control.geometry();
  if (geometry.scan_id != welcome.scan_id) return fail(EPROTO, "the scan's memory belongs to another scan");

  if (auto sealed = expect_sealed(fds[kPoolFd].get(), geometry.pool_bytes); !sealed)
    return tl::unexpected(sealed.error());
  auto pool = Mapping::map(fds[kPoolFd].get(), geometry.pool_bytes, Access::read_only, kHugePage);
  if (!pool) return tl::unexpected(pool.error());
  link.pool = *std::move(pool);
  auto own = ConsumerMemory::open(std::move(fds[kConsumerFd]), geometry);
  if (!own) return tl::unexpected(own.error());
  link.own = *std::move(own);

  const auto uid = peer_uid(found.socket.get());
  if (!uid) return tl::unexpected(uid.error());
  link.stranger = *uid != ::geteuid() && *uid != 0;
  auto scanner = ProcessHandle::of_peer(found.socket.get(), std::move(fds[kScannerFd]));
  if (!scanner) return tl::unexpected(scanner.error());
  link.scanner = *std::move(scanner);
  link.kick = std::move(fds[kKickFd]);
  link.socket = std::move(found.socket);
  link.runtime_directory = std::move(found.runtime_directory);
  link.name = welcome.name.get();
  link.missed_rows = welcome.missed_rows;
  link.grant_blocks = welcome.grant_blocks;
  if (fds.size() > kLedgerFd) {
    auto ledger = GroupMemory::open(std::move(fds[kLedgerFd]), geometry);
    if (!ledger) return tl::unexpected(ledger.error());
    link.ledger = *std::move(ledger);
    link.member = welcome.member;
  }
  return link;
}

Result<ScannerLink> join(FoundScan found, const AttachOptions& options, bool reads_on) {
  if (auto said = say_hello(found.socket.get(), options, reads_on); !said) return tl::unexpected(said.error());
  auto answer = await_packet(found.socket.get(), sizeof(Refused), kAnswerTimeout, options.interrupted);
  if (!answer) return tl::unexpected(answer.error());
  if (const auto refused = parse_message<Refused>(answer->bytes)) return refusal(*refused, found.name);
  const auto welcome = parse_message<Welcome>(answer->bytes);
  const std::size_t fds = options.group.empty() ? kWelcomeFds : kWelcomeFds + 1;
  if (!answer->whole || !welcome || answer->fds.size() != fds)
    return fail(EPROTO, fmt::format("the scan '{}' speaks another version", found.name));
  return map_everything(std::move(found), *welcome, std::move(answer->fds));
}

/// It was not there, or went away while we came: worth another look.
bool may_still_come(int code) {
  return code == ENOENT || code == EAGAIN || code == ECONNREFUSED || code == ECONNRESET || code == EPIPE;
}

/// So that the scan is found at most an eighth later than it came.
milliseconds pause_after(Clock::duration waited) {
  return std::clamp(std::chrono::duration_cast<milliseconds>(waited) / 8, kShortestPause, kSlice);
}

tl::unexpected<Error> given_up(const Error& last, bool waited) {
  return fail(waited || last.code == EAGAIN ? ETIMEDOUT : ENOENT, last.what);
}

}  // namespace

Result<ScannerLink> link_to_scanner(const AttachOptions& options, std::optional<OfferedImage>* image) {
  const auto start = Clock::now();
  const auto deadline = start + std::min<milliseconds>(options.timeout, kForEver);
  for (;;) {
    auto found = find_scan(options.scan, options.interrupted);
    if (found && image) {
      auto offered = offered_image(*found, options);
      if (!offered) return tl::unexpected(offered.error());
      *image = *std::move(offered);
    }
    const bool reads_on = image && *image && (*image)->goes_on;
    auto link = found ? join(*std::move(found), options, reads_on) : Result<ScannerLink>(tl::unexpected(found.error()));
    if (link || !may_still_come(link.error().code)) return link;
    const auto left = std::chrono::duration_cast<milliseconds>(deadline - Clock::now());
    if (left <= milliseconds::zero()) return given_up(link.error(), options.timeout > milliseconds::zero());
    if (options.interrupted && options.interrupted())
      return fail(EINTR, "interrupted while waiting for a scan");
    std::this_thread::sleep_for(std::min(left, pause_after(Clock::now() - start)));
  }
}

}  // namespace pwalk::ipc
