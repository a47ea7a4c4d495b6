#include "cli_options.h"

#include <type_traits>

namespace pwalk::tools {
namespace {

struct Heading {
  const char* title;
  Listing listing;
};

template <class Group>
constexpr Heading heading_of() {
  if constexpr (std::is_same_v<Group, TraversalOptions>) return {"Which names", Listing::line};
  if constexpr (std::is_same_v<Group, AttributeOptions>) return {"What of each", Listing::line};
  if constexpr (std::is_same_v<Group, ThreadOptions>) return {"Threads", Listing::name};
  if constexpr (std::is_same_v<Group, KernelOptions>) return {"System calls", Listing::name};
  if constexpr (std::is_same_v<Group, EtiquetteOptions>) return {"Etiquette", Listing::name};
  if constexpr (std::is_same_v<Group, KernelProgramOptions>) return {"In the kernel (eBPF)", Listing::name};
  if constexpr (std::is_same_v<Group, BatchOptions>) return {"Batches", Listing::name};
  return {"Other", Listing::name};
}

}  // namespace

CommandLine scanner_command_line(ScannerOptions& options) {
  CommandLine command_line("pwalk-scanner", "[options] PATH...",
                           "Walks PATHs and publishes every entry in shared memory; read it with pwalk tail.");
  command_line.add("Consumers and memory", options.publish, publish::kPublishSpecs);
  command_line.add("Consumers, memory and images", options.publish, publish::kRarePublishSpecs, Listing::name);
  for_each_scan_option(options.scan, [&](auto& group, const auto& spec) {
    constexpr Heading heading = heading_of<std::decay_t<decltype(group)>>();
    command_line.add(make_flag(group, spec, heading.title, heading.listing));
  });
  command_line.add("Output", options.output, kOutputSpecs);
  command_line.add("Documentation", options.dump, kDumpSpecs, Listing::name);
  return command_line;
}

}  // namespace pwalk::tools
