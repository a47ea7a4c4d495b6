#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "batch_content.h"

namespace pwalk::schema {

/// The seed of the hashes of the names in a directory.
std::uint64_t hash_directory_path(std::string_view path);

/// Sum of the row hashes (see row_hash.h). `directory_hashes` has
/// hash_directory_path of every row of the directory table.
std::uint64_t hash_content(const BatchContent& content, std::span<const std::uint64_t> directory_hashes);

}  // namespace pwalk::schema
