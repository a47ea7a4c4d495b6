#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pwalk/schema/columns.h"

namespace pwalk::image {

/// What is known of a scan when it starts; written once, at the front of its image.
/// Names and paths are bytes.
struct ScanFacts {
  std::string name;
  std::string host;
  std::vector<std::string> roots;  ///< absolute and lexical, as rows show them; "/" for the root
  std::uint32_t uid = 0;           ///< who scanned
  std::int64_t started_ns = 0;     ///< nanoseconds since 1970 UTC
  schema::ColumnSet columns;
  std::string version;             ///< of the program that scanned
  std::string selection;           ///< which names were left out: equal texts leave out the same; empty: not known
  friend bool operator==(const ScanFacts&, const ScanFacts&) = default;
};

/// What became of an image's scan.
enum class ImageState : std::uint8_t {
  growing = 1,    ///< more may come: what is there is a prefix of the stream
  complete = 2,   ///< the walk went through
  cut_short = 3,  ///< it was stopped; everything it had published is here
};

/// Sums over the batches of one commit.
struct ImageTotals {
  std::uint64_t batches = 0;
  std::uint64_t rows = 0;
  std::uint64_t records = 0;       ///< directory records
  std::uint64_t errors = 0;        ///< rows and directory records with an errno
  std::uint64_t file_bytes = 0;    ///< sizes of regular files, each link counted, saturated
  std::uint64_t content_hash = 0;  ///< sum of the batches' content hashes, see schema/row_hash.h
  friend bool operator==(const ImageTotals&, const ImageTotals&) = default;
};

/// How far one lane has been committed: every batch below `next` is in the image.
struct LanePosition {
  std::uint32_t lane = 0;
  std::uint64_t next = 0;
  friend bool operator==(const LanePosition&, const LanePosition&) = default;
};

}  // namespace pwalk::image
