#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pwalk/image/entry_ref.h"
#include "text/block_size.h"
#include "text/owner_names.h"

/// Lists of entries as ls(1) shows them.
namespace pwalk::tools {

enum class ListingOrder : std::uint8_t { name, size, time };

struct ListingStyle {
  bool details = false;       ///< -l
  bool inode = false;         ///< -i
  bool numeric = false;       ///< -n: owners by number
  bool human = false;         ///< -h
  bool reverse = false;       ///< -r
  ListingOrder order = ListingOrder::name;
  bool for_terminal = false;  ///< names are escaped
  std::int64_t now_ns = 0;    ///< what a date is recent against
};

/// An entry and the name it is shown under.
struct ListedEntry {
  EntryRef entry;
  std::string name;
};

/// The order of a listing: largest or newest first, names by their bytes among equals; or all of it reversed.
bool stands_before(const ListedEntry& a, const ListedEntry& b, const ListingStyle& style);

/// A line per entry, columns aligned among them. What is not known of an entry is "?".
void append_entries(const std::vector<ListedEntry>& entries, const ListingStyle& style, OwnerNames& names, std::string& out);

/// "total 12" : what the entries take, in KiB or for people.
std::string total_line(const std::vector<ListedEntry>& entries, const ListingStyle& style);

}  // namespace pwalk::tools
