#pragma once

#include <string>
#include <vector>

namespace pwalk::tools {

/// One thing the doctor looked at. Texts are safe to show.
struct Finding {
  std::string subject;  ///< "huge pages"
  std::string value;    ///< what is so
  std::string remark;   ///< what it means for pwalk, or how to change it; may be empty
};
using Findings = std::vector<Finding>;

}  // namespace pwalk::tools
