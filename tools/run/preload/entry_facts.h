#pragma once

#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>

#include "run/preload/scanned_tree.h"

/// Rows in the kernel's structures. What the scan did not fetch is 0, but for the
/// type bits of a mode.
namespace pwalk::run {

/// 0, or the errno with which the scanner's own stat failed.
int fill(const EntryRef& entry, struct stat& into);
int fill(const EntryRef& entry, struct statx& into);

/// A read-only file system in memory.
void fill(const ScannedTree& tree, struct statfs& into);
void fill(const ScannedTree& tree, struct statvfs& into);

/// Type bits (S_IFMT) of a mode, and d_type, for find's letter.
mode_t type_bits(char letter);
unsigned char directory_type(char letter);

/// 0 or the errno of access(2) for R_OK, W_OK, X_OK by these ids.
int check_access(const EntryRef& entry, int wanted, bool effective);

}  // namespace pwalk::run
