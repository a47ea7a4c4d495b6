#pragma once

#include <cstdint>
#include <string>

namespace pwalk::tools {

/// "drwxr-sr-t": the type letter and nine permissions, as ls(1) shows a mode.
std::string mode_text(std::uint32_t mode);

/// find's letter for a mode's type bits: f d l b c p s, or ?.
char type_letter(std::uint32_t mode);

}  // namespace pwalk::tools
