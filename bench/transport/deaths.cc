/// How soon a death is known on the other side.
///
///   death_bench [ROUNDS]
///
/// A consumer that holds batches is killed: until the scanner has given up its seat. A
/// scanner is killed: until a consumer that sleeps is told so. Prints milliseconds.
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "board.h"
#include "pwalk/ipc/consumer.h"
#include "pwalk/ipc/scan_session.h"

namespace pwalk::bench {
namespace {

using namespace std::chrono_literals;

/// A scan in this process, served for as long as it lives.
class Served {
 public:
  Served() : session_(ipc::ScanSession::create({.name = "deaths", .roots = {"/bench"}, .pool_bytes = 2u << 20}).value()) {
    control_ = std::thread([this] {
      while (!done_) session_.serve(100ms);  // as the scanner does
    });
  }
  Served(const Served&) = delete;
  Served& operator=(const Served&) = delete;
  ~Served() {
    done_ = true;
    session_.wake();
    control_.join();
  }
  ipc::ScanSession& session() { return session_; }
  void publish(const Payload& payload) {
    static_cast<void>(session_.publish(0, {.bytes = payload.bytes,
                                           .rows = payload.rows,
                                           .records = payload.records,
                                           .file_bytes = payload.file_bytes,
                                           .content_hash = payload.content_hash}));
  }

 private:
  ipc::ScanSession session_;
  std::atomic<bool> done_{false};
  std::thread control_;
};

template <class Role>
pid_t start(Role&& role) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  role();
  ::_exit(0);
}

double ms_since(std::int64_t began) { return double(now_ns() - began) / 1e6; }

/// In milliseconds, from kill(2) on.
double death_of_consumer() {
  const pid_t victim = start([] {
    auto consumer = ipc::Consumer::attach({.scan = "deaths", .timeout = 10s});
    if (!consumer) return;
    std::vector<ipc::BatchLease> held;
    for (;;)
      if (auto lease = consumer->next(1s); lease && *lease) held.push_back(**lease);
  });
  Served scan;
  const Payload payload = entries_batch(1000);
  while (scan.session().attendance().attached == 0) std::this_thread::sleep_for(1ms);
  for (int i = 0; i < 4; ++i) scan.publish(payload);
  std::this_thread::sleep_for(20ms);
  const std::int64_t began = now_ns();
  ::kill(victim, SIGKILL);
  while (!scan.session().consumers().empty()) std::this_thread::sleep_for(50us);
  const double took = ms_since(began);
  ::waitpid(victim, nullptr, 0);
  return took;
}

double death_of_scanner() {
  const pid_t victim = start([] {
    Served scan;
    scan.publish(entries_batch(1000));
    for (;;) ::pause();
  });
  double took = -1;
  if (auto consumer = ipc::Consumer::attach({.scan = "deaths", .timeout = 10s})) {
    static_cast<void>(consumer->next(10s));
    std::atomic<std::int64_t> began{0};
    std::thread killer([&] {
      std::this_thread::sleep_for(30ms);  // it sleeps by then
      began = now_ns();
      ::kill(victim, SIGKILL);
    });
    static_cast<void>(consumer->next(10s));
    took = consumer->end() == ipc::StreamEnd::scanner_died ? ms_since(began) : -1;
    killer.join();
  }
  ::waitpid(victim, nullptr, 0);
  return took;
}

void measure(const char* what, unsigned rounds, double (*once)()) {
  std::vector<double> all;
  for (unsigned i = 0; i < rounds; ++i) all.push_back(once());
  std::sort(all.begin(), all.end());
  fmt::print("| {} | {:.2f} | {:.2f} | {:.2f} |\n", what, all[all.size() / 2], all[all.size() * 99 / 100], all.back());
}

}  // namespace
}  // namespace pwalk::bench

int main(int argc, char** argv) {
  using namespace pwalk::bench;
  const unsigned rounds = argc > 1 ? unsigned(std::max(1, std::atoi(argv[1]))) : 200;
  std::string home = "/dev/shm/pwalk-bench.XXXXXX";
  if (!::mkdtemp(home.data())) return 2;
  ::setenv("PWALK_RUNTIME_DIR", home.c_str(), 1);
  fmt::print("| killed, ms until it is known ({} rounds) | median | p99 | worst |\n|---|---|---|---|\n", rounds);
  measure("a consumer that holds batches", rounds, death_of_consumer);
  measure("a scanner whose consumer sleeps", rounds, death_of_scanner);
  std::filesystem::remove_all(home);
}
