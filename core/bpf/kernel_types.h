/* The few kernel types the programs here touch, by name. preserve_access_index
 * makes each access a CO-RE relocation, so that only the names have to agree with
 * the running kernel, not the layout; a full vmlinux.h (3 MB) is not needed. */
#pragma once

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed int __s32;
typedef signed long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;

enum { BPF_MAP_TYPE_HASH = 1, BPF_MAP_TYPE_ARRAY = 2, BPF_MAP_TYPE_PERCPU_ARRAY = 6 };
enum { BPF_ANY = 0 };

struct bpf_pidns_info {
  __u32 pid, tgid;
};
struct bpf_raw_tracepoint_args {
  __u64 args[2];
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct inode {
  __u16 i_mode;
};
struct qstr {
  const unsigned char *name;
};
struct dentry {
  struct qstr d_name;
};
struct path {
  struct dentry *dentry;
};
struct file {
  struct path f_path;
  struct inode *f_inode;
};
#pragma clang attribute pop
