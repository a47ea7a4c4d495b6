#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "control_memory.h"
#include "group_memory.h"
#include "offered_image.h"
#include "process_handle.h"
#include "pwalk/ipc/consumer.h"

namespace pwalk::ipc {

/// What attaching gives: the mapped memory, and the ways to the scanner.
struct ScannerLink {
  std::string runtime_directory, name;
  ControlMemory control;
  Mapping pool;
  ConsumerMemory own;
  UniqueFd socket;  ///< to say that we leave
  UniqueFd kick;    ///< eventfd: something came back
  ProcessHandle scanner;
  std::uint64_t missed_rows = 0;
  std::uint32_t grant_blocks = 0;
  std::optional<GroupMemory> ledger;  ///< of its group, for a member
  std::uint32_t member = 0;           ///< its number there
  /// Its scanner is another user's, and not root's: what it can still write must
  /// not be believed after it was checked.
  bool stranger = false;
};

/// Finds the scan, waiting for it as long as asked, and attaches. If it has an image, that
/// is opened before, whatever comes of attaching. Errors as in Consumer::attach().
Result<ScannerLink> link_to_scanner(const AttachOptions& options, std::optional<OfferedImage>* image = nullptr);

}  // namespace pwalk::ipc
