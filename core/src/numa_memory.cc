#include "numa_memory.h"

#include <numa.h>

namespace pwalk {

bool has_numa_memory() { return numa_available() >= 0; }

bool prefer_local_memory() {
  if (!has_numa_memory()) return false;
  numa_set_localalloc();
  return true;
}

}  // namespace pwalk
