#pragma once

#include <string>

#include "run/preload/scanned_tree.h"

/// The working directory, which may be one of the tree. Thread-safe.
namespace pwalk::run {

/// Absolute; empty: unknown.
std::string current_directory();
bool in_scanned_directory();

/// Goes to a directory of the tree; the kernel is sent to one that does not exist.
/// 0, or an errno.
int enter_scanned_directory(const std::string& path);
/// libc has changed the directory.
void left_for_real_directory();

/// "PWALK_RUN_CWD=…" as a program that is started now needs it; without a value when
/// the directory is a real one.
std::string directory_assignment();

}  // namespace pwalk::run
