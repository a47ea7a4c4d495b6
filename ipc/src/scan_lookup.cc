#include "scan_lookup.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <span>
#include <vector>

#include "control_socket.h"
#include "messages.h"
#include "scan_home.h"
#include "scan_status.h"

namespace pwalk::ipc {
namespace {

std::string names_of(const std::vector<ScanStatus>& scans) {
  std::string names;
  for (const ScanStatus& scan : scans) names += (names.empty() ? "" : ", ") + scan.name;
  return names;
}

Result<std::vector<ScanStatus>> live_scans(const std::string& runtime_directory) {
  auto scans = list_scans(runtime_directory);
  if (scans) std::erase_if(*scans, [](const ScanStatus& scan) { return scan.state == "dead"; });
  return scans;
}

tl::unexpected<Error> no_such_scan(const std::string& runtime_directory, const std::string& wanted) {
  const auto scans = live_scans(runtime_directory);
  const std::string there =
      !scans || scans->empty() ? "none is running" : fmt::format("running are {}", names_of(*scans));
  return fail(ENOENT, wanted.empty() ? fmt::format("no scan to attach to ({})", there)
                                     : fmt::format("no scan '{}' ({})", wanted, there));
}

Result<FoundScan> connect_to(const std::string& runtime_directory, const std::string& name) {
  auto runtime = open_runtime_directory(runtime_directory, false);
  if (!runtime) {
    if (runtime.error().code == ENOENT) return no_such_scan(runtime_directory, name);
    return tl::unexpected(runtime.error());
  }
  auto directory = open_scan_directory(runtime->get(), name);
  if (!directory && directory.error().code == ENOENT) return no_such_scan(runtime_directory, name);
  if (!directory) return tl::unexpected(directory.error());
  auto socket = connect_in(directory->get());
  if (!socket) {
    const int code = socket.error().code;
    if (code == ECONNREFUSED || code == ENOENT) return no_such_scan(runtime_directory, name);
    return tl::unexpected(socket.error());
  }
  return FoundScan{runtime_directory, name, *std::move(directory), *std::move(socket)};
}

Result<FoundScan> only_scan(const std::string& runtime_directory) {
  const auto scans = live_scans(runtime_directory);
  if (!scans && scans.error().code != ENOENT) return tl::unexpected(scans.error());
  if (!scans || scans->empty()) return no_such_scan(runtime_directory, "");
  if (scans->size() > 1) return fail(EMLINK, fmt::format("several scans are running ({}): name one", names_of(*scans)));
  return connect_to(runtime_directory, scans->front().name);
}

Result<FoundScan> newest_of_root(const std::string& runtime_directory, const std::string& root) {
  auto scans = live_scans(runtime_directory);
  if (!scans && scans.error().code != ENOENT) return tl::unexpected(scans.error());
  const ScanStatus* newest = nullptr;
  if (scans)
    for (const ScanStatus& scan : *scans) {
      if (std::find(scan.roots.begin(), scan.roots.end(), root) == scan.roots.end()) continue;
      if (!newest || scan.started > newest->started) newest = &scan;
    }
  if (!newest) return no_such_scan(runtime_directory, root);
  return connect_to(runtime_directory, newest->name);
}

std::string without_trailing_slashes(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

}  // namespace

Result<FoundScan> find_scan(const std::string& wanted) {
  if (wanted.empty()) return only_scan(runtime_directory());
  if (wanted.front() == '/') return newest_of_root(runtime_directory(), without_trailing_slashes(wanted));
  std::string directory = runtime_directory(), name = wanted;
  if (const auto slash = wanted.find('/'); slash != std::string::npos) {
    auto theirs = runtime_directory_of(wanted.substr(0, slash));
    if (!theirs) return fail(EINVAL, theirs.error().what);  // waiting for it would be no use
    directory = *std::move(theirs);
    name = wanted.substr(slash + 1);
  }
  if (auto good = check_scan_name(name); !good) return tl::unexpected(good.error());
  return connect_to(directory, name);
}

Result<ScanStatus> ask_status(int socket, std::chrono::milliseconds timeout) {
  if (auto sent = send_message(socket, make_message<StatusRequest>()); !sent) return tl::unexpected(sent.error());
  pollfd wait{socket, POLLIN, 0};
  if (::poll(&wait, 1, int(timeout.count())) <= 0) return fail(ETIMEDOUT, "the scan does not answer");
  const auto packet = receive_packet(socket, kMostStatusBytes);
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
