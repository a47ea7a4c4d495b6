/* Whether the program runs on behalf of the scanner that loaded it. */
#pragma once

#include "kernel_types.h"
#include <bpf/bpf_helpers.h>

/* Set before loading. A process id means something only together with its PID
 * namespace, which is known by the device and inode of /proc/self/ns/pid. */
const volatile __u64 scanner_namespace_device = 0;
const volatile __u64 scanner_namespace_inode = 0;
const volatile __u32 scanner_process = 0;

static __attribute__((always_inline)) inline int by_scanner(void) {
  struct bpf_pidns_info current = {};
  return bpf_get_ns_current_pid_tgid(scanner_namespace_device, scanner_namespace_inode, &current, sizeof(current)) ==
             0 &&
         current.tgid == scanner_process;
}
