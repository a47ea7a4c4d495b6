#include "numa_memory.h"

namespace pwalk {

bool has_numa_memory() { return false; }
bool prefer_local_memory() { return false; }

}  // namespace pwalk
