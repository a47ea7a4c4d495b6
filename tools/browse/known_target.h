#pragma once

#include <string_view>

#include "pwalk/image/entry_ref.h"

namespace pwalk::tools {

/// The text of a link, if the scan fetched it (`target`); else nothing.
inline std::string_view known_target(const EntryRef& entry) {
  return entry.type() == 'l' ? entry.text(schema::Column::target) : std::string_view();
}

}  // namespace pwalk::tools
