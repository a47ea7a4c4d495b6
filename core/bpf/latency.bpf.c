/* How long the scanner's openat, getdents64 and statx take, measured in the kernel
 * between the entry and the exit of the system call: without the cost of the
 * clock in user space, and with the time a thread waits for a processor inside the call.
 * What io_uring does for the scanner is no system call and is not seen here. */
#include "kernel_types.h"
#include "scanner_process.bpf.h"
#include <bpf/bpf_helpers.h>

#include "latency_buckets.h"

/* Set before loading: which system call numbers are of which kind, two for each
 * (openat and openat2, statx and newfstatat); numbers differ between architectures. */
const volatile __s64 call_numbers[PWALK_CALLS * 2] = {};

struct started {
  __u64 at_ns;
  __u32 kind;
};

/* Per thread of the scanner; entries of threads that ended in a call stay until the object goes. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 8192);
  __type(key, __u64);
  __type(value, struct started);
} in_call SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, PWALK_CALLS *PWALK_BUCKETS);
  __type(key, __u32);
  __type(value, __u64);
} histogram SEC(".maps");

static __attribute__((always_inline)) inline int kind_of(__s64 number) {
  int kind = -1;
#pragma unroll
  for (int i = 0; i < PWALK_CALLS * 2; ++i)
    if (call_numbers[i] == number) kind = i / 2;
  return kind;
}

/* Position of the highest bit by halving: BPF has no instruction for it. `value` > 0. */
static __attribute__((always_inline)) inline __u32 log2_of(__u64 value) {
  __u32 bit = 0;
#pragma unroll
  for (int step = 32; step > 0; step /= 2)
    if (value >> step) {
      value >>= step;
      bit += step;
    }
  return bit;
}

/* Values below 2^BITS have a bucket each; above, the BITS bits behind the highest choose it. */
static __attribute__((always_inline)) inline __u32 bucket_of(__u64 ns) {
  if (ns < (1u << PWALK_BUCKET_BITS)) return (__u32)ns;
  const __u32 high = log2_of(ns);
  const __u32 low = (__u32)(ns >> (high - PWALK_BUCKET_BITS)) & ((1u << PWALK_BUCKET_BITS) - 1);
  return ((high - PWALK_BUCKET_BITS + 1) << PWALK_BUCKET_BITS) + low;
}

SEC("raw_tp/sys_enter")
int call_begins(struct bpf_raw_tracepoint_args *context) {
  const int kind = kind_of((__s64)context->args[1]);
  if (kind < 0 || !by_scanner()) return 0;
  const __u64 thread = bpf_get_current_pid_tgid();
  const struct started started = {.at_ns = bpf_ktime_get_ns(), .kind = (__u32)kind};
  bpf_map_update_elem(&in_call, &thread, &started, BPF_ANY);
  return 0;
}

SEC("raw_tp/sys_exit")
int call_ends(struct bpf_raw_tracepoint_args *context) {
  const __u64 now = bpf_ktime_get_ns(), thread = bpf_get_current_pid_tgid();
  const struct started *started = bpf_map_lookup_elem(&in_call, &thread);
  if (!started) return 0;
  const __u32 slot = started->kind * PWALK_BUCKETS + bucket_of(now - started->at_ns);
  __u64 *count = bpf_map_lookup_elem(&histogram, &slot);
  if (count) ++*count;
  bpf_map_delete_elem(&in_call, &thread);
  return 0;
}

char _license[] SEC("license") = "GPL";
