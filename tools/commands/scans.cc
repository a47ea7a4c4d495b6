#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "commands/command.h"
#include "commands/dead_scans.h"
#include "commands/usage.h"
#include "process/message.h"
#include "pwalk/ipc/kept_images.h"
#include "pwalk/ipc/scan_directory.h"
#include "text/escape.h"
#include "text/figures.h"
#include "text/table.h"

namespace pwalk::tools {
namespace {

constexpr const char* kProgram = "pwalk scans";

struct ScansOptions {
  bool json = false;
};
constexpr std::tuple kScansSpecs{
    OptionSpec{"json", &ScansOptions::json, "", "print one JSON array"},
};

std::string roots_text(const std::vector<std::string>& roots) {
  std::string text;
  for (const std::string& root : roots) text += (text.empty() ? "" : " ") + escaped(root);
  return text;
}

/// "2", or "2: loader (pid 12, python3) holds it back for 3.20 s".
std::string consumers_text(const std::vector<ipc::ConsumerStatus>& consumers) {
  std::string text = std::to_string(consumers.size());
  const char* separator = ": ";
  for (const ipc::ConsumerStatus& consumer : consumers) {
    if (!consumer.holding_back) continue;
    text += fmt::format("{}{} holds it back for {}", separator, escaped(consumer.who()),
                        duration_text(consumer.holding_back_seconds));
    separator = ", ";
  }
  return text;
}

std::string memory_text(const ipc::ScanStatus& scan) {
  if (scan.pool_bytes == 0) return "-";
  return scan.pages.empty() ? byte_text(scan.pool_bytes)
                            : fmt::format("{}, {}", byte_text(scan.pool_bytes), escaped(scan.pages));
}

Table table_of(const std::vector<ipc::ScanStatus>& scans) {
  Table table({"NAME", "ROOTS", "STATE", "STARTED", "ENTRIES", "CONSUMERS", "MEMORY"});
  for (const ipc::ScanStatus& scan : scans)
    table.add({escaped(scan.name), roots_text(scan.roots), escaped(scan.state), escaped(scan.started),
               grouped(scan.entries), consumers_text(scan.consumers), memory_text(scan)});
  return table;
}

nlohmann::ordered_json json_of(const ipc::ConsumerStatus& consumer) {
  return {{"label", escaped(consumer.label)},
          {"command", escaped(consumer.command)},
          {"pid", consumer.pid},
          {"group", escaped(consumer.group)},
          {"evicted", consumer.evicted},
          {"held_batches", consumer.held_batches},
          {"lag_rows", consumer.lag_rows},
          {"holding_back", consumer.holding_back},
          {"holding_back_seconds", consumer.holding_back_seconds}};
}

nlohmann::ordered_json json_of(const ipc::ScanStatus& scan) {
  nlohmann::ordered_json object{{"name", escaped(scan.name)},       {"user", escaped(scan.user)},
                                {"roots", nlohmann::json::array()}, {"state", escaped(scan.state)},
                                {"started", escaped(scan.started)}, {"entries", scan.entries},
                                {"errors", scan.errors},            {"pool_bytes", scan.pool_bytes},
                                {"pages", escaped(scan.pages)},     {"consumers", nlohmann::json::array()}};
  for (const std::string& root : scan.roots) object["roots"].push_back(escaped(root));
  for (const ipc::ConsumerStatus& consumer : scan.consumers) object["consumers"].push_back(json_of(consumer));
  return object;
}

std::string utc(std::int64_t ns) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time_t(ns / 1'000'000'000)));
}

/// A kept image as a line among the scans. A damaged one says so.
ipc::ScanStatus status_of(const ipc::KeptImage& kept) {
  ipc::ScanStatus status;
  status.name = kept.name;
  const auto results = ResultsFilesystem::open(kept.file);
  if (!results) {
    status.state = "damaged image";
    return status;
  }
  status.roots = results->facts().roots;
  status.state = results->state() == image::ImageState::complete    ? "image"
                 : results->state() == image::ImageState::cut_short ? "image, cut short"
                                                                    : "growing image";
  status.started = utc(results->facts().started_ns);
  status.entries = results->totals().rows;
  status.errors = results->totals().errors;
  status.pool_bytes = results->bytes();
  return status;
}

/// Live scans and what dead ones left, then images.
Result<std::vector<ipc::ScanStatus>> everything() {
  auto scans = ipc::list_scans(ipc::runtime_directory());
  if (!scans) return scans;
  const auto images = ipc::kept_images(ipc::runtime_directory());
  if (!images) return tl::unexpected(images.error());
  for (const ipc::KeptImage& kept : *images) scans->push_back(status_of(kept));
  return scans;
}

std::string json_text(const std::vector<ipc::ScanStatus>& scans) {
  auto list = nlohmann::ordered_json::array();
  for (const ipc::ScanStatus& scan : scans) list.push_back(json_of(scan));
  return list.dump() + "\n";
}

}  // namespace

int run_scans(int argc, const char* const* argv) {
  ScansOptions options;
  CommandLine command_line(kProgram, "[--json]", "Lists live scans, what dead ones left, and kept images.");
  command_line.add("Output", options, kScansSpecs);
  if (auto code = parse_or_exit(command_line, argc, argv, 0)) return *code;
  clear_dead_scans();
  auto scans = everything();
  if (!scans && scans.error().code != ENOENT) {
    say(kProgram, escaped(scans.error().message()));
    return kCutShort;
  }
  const std::vector<ipc::ScanStatus> found = scans ? *std::move(scans) : std::vector<ipc::ScanStatus>{};
  const Table table = table_of(found);
  write_all(STDOUT_FILENO, options.json                 ? json_text(found)
                           : ::isatty(STDOUT_FILENO) ? table.aligned()
                                                        : table.separated_by_tabs());
  return kComplete;
}

}  // namespace pwalk::tools
