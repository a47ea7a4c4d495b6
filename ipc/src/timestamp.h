#pragma once

#include <ctime>
#include <string>

namespace pwalk::ipc {

/// RFC 3339 in UTC, whole seconds: 2024-05-01T12:00:00Z.
inline std::string rfc3339(std::time_t when) {
  std::tm parts{};
  ::gmtime_r(&when, &parts);
  char text[32];
  const std::size_t length = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return {text, length};
}

}  // namespace pwalk::ipc
