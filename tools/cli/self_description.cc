#include "cli/self_description.h"

#include <nlohmann/json.hpp>

namespace pwalk::tools {

std::string describe(const std::string& program, const std::string& usage, const std::string& summary, const std::string& options) {
  const nlohmann::ordered_json object{
      {"program", program}, {"usage", usage}, {"summary", summary}, {"options", nlohmann::ordered_json::parse(options)}};
  return object.dump(2) + "\n";
}

}  // namespace pwalk::tools
