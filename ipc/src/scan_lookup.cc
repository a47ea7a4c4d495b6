#include "scan_lookup.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <optional>
#include <span>
#include <vector>

#include "messages.h"
#include "scan_home.h"
#include "scan_status.h"

namespace pwalk::ipc {
namespace {

using std::chrono::milliseconds;

/// Between two questions whether the caller was interrupted.
constexpr milliseconds kSlice{50};
/// For one scan among several that are asked for their roots.
constexpr milliseconds kStatusTimeout{1000};

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

/// Names of the live scans; none if there is no runtime directory.
Result<std::vector<std::string>> live_names(const std::string& runtime_directory) {
  auto runtime = open_runtime_directory(runtime_directory, false);
  if (!runtime && runtime.error().code == ENOENT) return std::vector<std::string>();
  if (!runtime) return tl::unexpected(runtime.error());
  auto names = names_in(runtime->get());
  if (!names) return names;
  std::erase_if(*names, [&](const std::string& name) {
    if (!check_scan_name(name)) return true;
    const auto directory = open_scan_directory(runtime->get(), name);
    return !directory || !is_alive(directory->get());
  });
  std::sort(names->begin(), names->end());
  return names;
}

tl::unexpected<Error> no_such_scan(const std::string& runtime_directory, const std::string& wanted) {
  const auto names = live_names(runtime_directory);
  const std::string there = !names || names->empty() ? "none is running" : "running: " + joined(*names);
  return fail(ENOENT, wanted.empty() ? fmt::format("no scan to attach to ({})", there)
                                     : fmt::format("no scan '{}' ({})", wanted, there));
}

Result<FoundScan> connect_to(const std::string& runtime_directory, const std::string& name) {
  auto runtime = open_runtime_directory(runtime_directory, false);
  if (!runtime && runtime.error().code == ENOENT) return no_such_scan(runtime_directory, name);
  if (!runtime) return tl::unexpected(runtime.error());
  auto directory = open_scan_directory(runtime->get(), name);
  if (!directory && directory.error().code == ENOENT) return no_such_scan(runtime_directory, name);
  if (!directory) return tl::unexpected(directory.error());
  auto socket = connect_to_scanner(directory->get());
  if (socket) return FoundScan{runtime_directory, name, *std::move(directory), *std::move(socket)};
  const int code = socket.error().code;
  if (code == ECONNREFUSED || code == ENOENT) return no_such_scan(runtime_directory, name);
  if (code == EAGAIN) return fail(EAGAIN, fmt::format("the scan '{}' does not answer", name));
  return tl::unexpected(socket.error());
}

Result<FoundScan> only_scan(const std::string& runtime_directory) {
  const auto names = live_names(runtime_directory);
  if (!names) return tl::unexpected(names.error());
  if (names->empty()) return no_such_scan(runtime_directory, "");
  if (names->size() > 1)
    return fail(EMLINK, fmt::format("several scans are running ({}): name one", joined(*names)));
  return connect_to(runtime_directory, names->front());
}

bool has_root(const ScanStatus& scan, const std::string& root) {
  return std::find(scan.roots.begin(), scan.roots.end(), root) != scan.roots.end();
}

Result<FoundScan> newest_of_root(const std::string& runtime_directory, const std::string& root,
                                 const Interrupted& interrupted) {
  const auto names = live_names(runtime_directory);
  if (!names) return tl::unexpected(names.error());
  std::string newest, started;
  for (const std::string& name : *names) {
    auto scan = connect_to(runtime_directory, name);
    if (!scan) continue;  // it has ended in the meantime
    const auto status = ask_status(scan->socket.get(), kStatusTimeout, interrupted);
    if (!status && status.error().code == EINTR) return tl::unexpected(status.error());
    if (!status || !has_root(*status, root) || (!newest.empty() && status->started <= started)) continue;
    newest = name;
    started = status->started;
  }
  return newest.empty() ? no_such_scan(runtime_directory, root) : connect_to(runtime_directory, newest);
}

std::string without_trailing_slashes(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

/// The scan `name` of `user`, who shares it with a group of ours, or we are root.
Result<FoundScan> find_theirs(const std::string& user, const std::string& name) {
  if (auto good = check_scan_name(name); !good) return tl::unexpected(good.error());
  if (auto known = runtime_directory_of(user); !known)
    return fail(EINVAL, known.error().what);  // waiting for it would be no use
  const auto none = fail(ENOENT, fmt::format("no scan '{}' of {}'s", name, user));
  auto theirs = open_runtime_directory_of(user);
  if (!theirs && theirs.error().code == ENOENT) return none;
  if (!theirs) return tl::unexpected(theirs.error());
  auto directory = open_scan_directory_of(theirs->owner, theirs->directory.get(), name);
  if (!directory && directory.error().code == ENOENT) return none;
  if (!directory) return tl::unexpected(directory.error());
  auto socket = connect_to_scanner(directory->get());
  if (socket) return FoundScan{theirs->path, name, *std::move(directory), *std::move(socket)};
  const int code = socket.error().code;
  if (code == ECONNREFUSED || code == ENOENT) return none;
  if (code == EACCES) return fail(EACCES, fmt::format("the scan '{}' of {}'s is not shared with you", name, user));
  return tl::unexpected(socket.error());
}

}  // namespace

Result<FoundScan> find_scan(const std::string& wanted, const Interrupted& interrupted) {
  if (wanted.empty()) return only_scan(runtime_directory());
  if (wanted.front() == '/')
    return newest_of_root(runtime_directory(), without_trailing_slashes(wanted), interrupted);
  if (const auto slash = wanted.find('/'); slash != std::string::npos)
    return find_theirs(wanted.substr(0, slash), wanted.substr(slash + 1));
  if (auto good = check_scan_name(wanted); !good) return tl::unexpected(good.error());
  return connect_to(runtime_directory(), wanted);
}

Result<Packet> await_packet(int socket, std::size_t most, milliseconds timeout,
                            const Interrupted& interrupted) {
  using Clock = std::chrono::steady_clock;
  for (const auto deadline = Clock::now() + timeout;;) {
    const auto left = std::chrono::duration_cast<milliseconds>(deadline - Clock::now());
    pollfd wait{socket, POLLIN, 0};
    ::poll(&wait, 1, int(std::clamp(left, milliseconds::zero(), kSlice).count()));
    auto packet = receive_packet(socket, most);
    if (packet || packet.error().code != EAGAIN) return packet;
    if (interrupted && interrupted()) return fail(EINTR, "interrupted while waiting for a scan's answer");
    if (left <= milliseconds::zero()) return fail(ETIMEDOUT, "the scan does not answer");
  }
}

Result<ScanStatus> ask_status(int socket, milliseconds timeout, const Interrupted& interrupted) {
  if (auto sent = send_message(socket, make_message<StatusRequest>()); !sent)
    return tl::unexpected(sent.error());
  const auto packet = await_packet(socket, kMostStatusBytes, timeout, interrupted);
  if (!packet) return tl::unexpected(packet.error());
  const auto header = parse_header(packet->bytes);
  if (!packet->whole || !header || header->kind != MessageKind::status)
    return fail(EPROTO, "the scan's answer is not a status of this version");
  const std::span<const std::byte> text = std::span(packet->bytes).subspan(sizeof *header);
  auto status = parse_status({reinterpret_cast<const char*>(text.data()), text.size()});
  if (!status) return fail(EPROTO, "the scan's status is not JSON");
  return *std::move(status);
}

}  // namespace pwalk::ipc
