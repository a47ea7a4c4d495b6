#pragma once

#include <string>
#include <vector>

#include "browse/place.h"
#include "text/byte_output.h"

namespace pwalk::tools {

/// What every browsing command does around its own work: signals, the guard
/// against truncated files, output, complaints and the exit code.
class BrowsingSession {
 public:
  /// `program` as messages name it: "pwalk find".
  explicit BrowsingSession(std::string program);

  /// The places of the words. None after a complaint; then return exit_code().
  std::vector<Place> places(const std::vector<std::string>& words);

  ByteOutput& output() { return output_; }
  bool for_terminal() const { return for_terminal_; }

  /// A path is not what it should be: one line, exit code 1.
  void complain(std::string_view path, int error);
  void complain(const Error& error);
  /// The image is damaged or cannot be read: one line, exit code 3.
  void give_up(const Error& error);
  /// Writes what waits once it is much. False: told to stop, the reader has gone, or
  /// writing failed; end then.
  bool go_on();
  /// Writes the rest.
  int finish();
  int exit_code() const { return code_; }

 private:
  void raise(int code) { code_ = code > code_ ? code : code_; }
  bool is_written(const Result<void>& outcome);

  std::string program_;
  ByteOutput output_;
  bool for_terminal_;
  int code_ = 0;
  bool output_failed_ = false;  ///< and that was said
};

}  // namespace pwalk::tools
