#pragma once

#include <string>
#include <string_view>

namespace pwalk {

/// The path that rows show for a root: absolute and lexical. `given` is put below
/// `working_directory` unless it is absolute; `.` and empty components go, and so
/// does a trailing slash; a leading `..` goes up from the working directory, which
/// is physical; a later `..` stays, since what it follows may be a link. "/" is "/".
std::string root_path(std::string_view working_directory, std::string_view given);

}  // namespace pwalk
