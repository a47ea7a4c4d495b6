#pragma once

#include <cstdint>
#include <string>

/// Numbers for people.
namespace pwalk::tools {

std::string grouped(std::uint64_t number);   ///< 1,234,567
/// "1 error", "1,234 errors": the thing's plural is made with an s.
std::string counted(std::uint64_t number, const std::string& thing);
std::string compact(double number);          ///< 987, 12.3k, 4.56M
std::string byte_text(std::uint64_t bytes);  ///< 512 B, 1.5 GiB
std::string duration_text(double seconds);   ///< 0.25 s, 3:07, 2:03:07

}  // namespace pwalk::tools
