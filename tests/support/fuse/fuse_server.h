#pragma once

/// libfuse's interface as of 3.14 (Debian 12); every file of this directory includes it through here.
#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

#include <string>

#include "operation_counts.h"

namespace pwalk::fuse {

/// What both file systems of this directory are told about their mount.
struct MountOptions {
  std::string mountpoint;
  std::string subtype;           ///< mountinfo then shows the type fuse.SUBTYPE
  unsigned threads = 256;        ///< most requests served at once
  bool die_with_parent = false;  ///< SIGTERM when the starting thread ends, however it ends
};

/// Mounts, serves until SIGINT, SIGTERM or SIGHUP or until it is unmounted, and
/// unmounts. Prints one JSON line on stdout when mounted ({"mounted": PATH,
/// "connection": N}, N naming /sys/fs/fuse/connections/N), one with the counts
/// for each SIGUSR1, and one at the end. Returns the process's exit status.
int serve(const MountOptions& options, const fuse_lowlevel_ops& operations, void* filesystem,
          const OperationCounts& counts);

/// Readdirplus and concurrency as asked; call it from the `init` operation.
enum class Plus { never, always, by_kernel };
void configure_connection(fuse_conn_info& connection, Plus plus);

}  // namespace pwalk::fuse
