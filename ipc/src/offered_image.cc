#include "offered_image.h"

#include <string_view>

#include "scan_home.h"

namespace pwalk::ipc {
namespace {

constexpr std::chrono::milliseconds kStatusTimeout{1000};
constexpr std::string_view kPartial = ".partial";

/// Under its final name if it has just been finished.
Result<ResultsFilesystem> open_growing(const std::string& partial_file) {
  auto image = ResultsFilesystem::open(partial_file);
  if (image || !partial_file.ends_with(kPartial)) return image;
  return ResultsFilesystem::open(partial_file.substr(0, partial_file.size() - kPartial.size()));
}

}  // namespace

Result<std::optional<OfferedImage>> offered_image(const FoundScan& scan, const AttachOptions& options) {
  if (!options.use_image || options.world > 1 || !options.group.empty()) return std::nullopt;
  // A connection of its own: with the answer the scan closes it.
  const auto socket = connect_to_scanner(scan.directory.get());
  if (!socket) return std::nullopt;
  const auto status = ask_status(socket->get(), kStatusTimeout, options.interrupted);
  if (!status && status.error().code == EINTR) return tl::unexpected(status.error());
  if (!status || status->image.empty()) return std::nullopt;
  auto image = open_growing(status->image);
  if (!image || image->facts().name != scan.name) return std::nullopt;
  return std::optional(OfferedImage{*std::move(image), status->goes_on_from_image});
}

}  // namespace pwalk::ipc
