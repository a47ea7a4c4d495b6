// Preloaded into a scanner: fsync(2) says that it was called, by making $HUNG_FSYNC, and never returns.
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

int fsync(int fd) {
  (void)fd;
  close(open(getenv("HUNG_FSYNC"), O_CREAT | O_WRONLY, 0600));
  for (;;) pause();
}
