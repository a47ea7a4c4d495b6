#pragma once

#include <string_view>

namespace pwalk {

/// The path `inner` is `outer`, or lies anywhere below it. Both absolute, without trailing slashes but for "/"
/// itself; compared as text, so `..` and links mean nothing here.
constexpr bool lies_below(std::string_view inner, std::string_view outer) {
  if (outer == "/") return true;
  return inner.starts_with(outer) && (inner.size() == outer.size() || inner[outer.size()] == '/');
}

}  // namespace pwalk
