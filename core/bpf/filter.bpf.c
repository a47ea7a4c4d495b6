/* Refuses the scanner, and nobody else, the opening of directories with a listed
 * name: enforcement behind the filter in user space, for a scanner that must not
 * be able to descend into them. What O_PATH opens is not asked here by the kernel,
 * and what lies beneath has other names. */
#include "kernel_types.h"
#include "scanner_process.bpf.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "name_key.h"

#define S_IFMT 0170000
#define S_IFDIR 0040000
#define EACCES 13

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, PWALK_MOST_REFUSED_NAMES);
  __type(key, struct pwalk_name_key);
  __type(value, __u8);
} refused_names SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u64);
} refusals SEC(".maps");

SEC("lsm/file_open")
int BPF_PROG(refuse_listed_directory, struct file *file) {
  const __u32 first = 0;
  struct pwalk_name_key key = {};
  __u64 *count;

  if (!by_scanner() || (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFDIR) return 0;
  /* A longer name is cut off, and then equals none of the list, which are shorter. */
  if (bpf_probe_read_kernel_str(key.bytes, sizeof(key.bytes), BPF_CORE_READ(file, f_path.dentry, d_name.name)) < 0)
    return 0;
  if (!bpf_map_lookup_elem(&refused_names, &key)) return 0;
  count = bpf_map_lookup_elem(&refusals, &first);
  if (count) __sync_fetch_and_add(count, 1);
  return -EACCES;
}

char _license[] SEC("license") = "GPL";
