#pragma once

#include <filesystem>
#include <fstream>
#include <string>

#include "doctor/system_files.h"

namespace pwalk::tools {

/// A directory that stands for `/` as SystemFiles sees it; gone afterwards.
class MadeUpSystem {
 public:
  MadeUpSystem() {
    std::string pattern = (std::filesystem::temp_directory_path() / "pwalk-system.XXXXXX").string();
    root_ = ::mkdtemp(pattern.data());
  }
  ~MadeUpSystem() { std::filesystem::remove_all(root_); }
  MadeUpSystem(const MadeUpSystem&) = delete;
  MadeUpSystem& operator=(const MadeUpSystem&) = delete;

  void put(const std::string& path, const std::string& text) const {
    const std::filesystem::path file(root_ + path);
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  SystemFiles files() const { return SystemFiles(root_); }

 private:
  std::string root_;
};

}  // namespace pwalk::tools
