#pragma once

#include "statx_backend.h"
#include "sys/calls.h"

namespace pwalk {

/// One system call per name, when it is its turn.
class StatxSync final : public StatxBackend {
 public:
  explicit StatxSync(const sys::Calls& calls) : calls_(calls) {}

  void begin(int directory, std::span<const char* const> names, int flags, unsigned mask) override {
    directory_ = directory;
    left_ = names;
    flags_ = flags;
    mask_ = mask;
  }
  int take(struct ::statx& answer) override {
    const char* name = left_.front();
    left_ = left_.subspan(1);
    return calls_.statx(directory_, name, flags_, mask_, answer);
  }
  void end() override { left_ = {}; }

 private:
  const sys::Calls& calls_;
  int directory_ = -1;
  std::span<const char* const> left_;
  int flags_ = 0;
  unsigned mask_ = 0;
};

}  // namespace pwalk
