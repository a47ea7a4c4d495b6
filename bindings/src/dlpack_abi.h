#pragma once

#include <cstdint>

/// DLPack's C structures, version 1.0, as its specification has them.
namespace pwalk::bindings::dlpack {

struct Version {
  std::uint32_t major, minor;
};
struct Device {
  std::int32_t type, id;
};
struct DataType {
  std::uint8_t code, bits;
  std::uint16_t lanes;
};
struct Tensor {
  void* data;
  Device device;
  std::int32_t dimensions;
  DataType type;
  std::int64_t* shape;
  std::int64_t* strides;  ///< in elements
  std::uint64_t byte_offset;
};
struct ManagedTensor {
  Tensor tensor;
  void* context;
  void (*deleter)(ManagedTensor*);
};
struct ManagedTensorVersioned {
  Version version;
  void* context;
  void (*deleter)(ManagedTensorVersioned*);
  std::uint64_t flags;
  Tensor tensor;
};

inline constexpr Device kCpu{1, 0};
inline constexpr std::uint8_t kInt = 0, kUint = 1, kBool = 6;
inline constexpr std::uint64_t kReadOnly = 1, kIsCopied = 2;

static_assert(sizeof(Tensor) == 48);
static_assert(sizeof(ManagedTensor) == 64);
static_assert(sizeof(ManagedTensorVersioned) == 80);

}  // namespace pwalk::bindings::dlpack
