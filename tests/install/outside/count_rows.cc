// count_rows SCAN: attaches, reads everything, prints the rows and the bytes of the files among them.
#include <pwalk/ipc/consumer.h>

#include <chrono>
#include <cstdio>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  pwalk::ipc::AttachOptions options;
  options.scan = argv[1];
  options.timeout = std::chrono::seconds(30);
  auto consumer = pwalk::ipc::Consumer::attach(options);
  if (!consumer) {
    std::fprintf(stderr, "%s\n", consumer.error().message().c_str());
    return 3;
  }
  std::uint64_t rows = 0, bytes = 0;
  while (consumer->end() == pwalk::ipc::StreamEnd::running) {
    const auto lease = consumer->next(std::chrono::seconds(1));
    if (!lease) {
      std::fprintf(stderr, "%s\n", lease.error().message().c_str());
      return 3;
    }
    if (!*lease) continue;
    rows += (*lease)->view().rows();
    bytes += (*lease)->view().file_bytes();
  }
  std::printf("%lu %lu\n", rows, bytes);
  return consumer->end() == pwalk::ipc::StreamEnd::complete ? 0 : 3;
}
