#include "process/privilege.h"

#include <unistd.h>

namespace pwalk::tools {

bool runs_setuid() { return ::geteuid() != ::getuid() || ::getegid() != ::getgid(); }

}  // namespace pwalk::tools
