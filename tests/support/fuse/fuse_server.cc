#include "fuse_server.h"

#include <pthread.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <csignal>
#include <cstdio>
#include <fstream>
#include <memory>
#include <sstream>
#include <thread>

namespace pwalk::fuse {
namespace {

void print_line(const std::string& line) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

/// The connection's number is the minor of the mount's anonymous device. It is
/// read from mountinfo, since a stat of the mount point would be a request to ourselves.
unsigned connection_of(const std::string& mountpoint) {
  std::ifstream mounts("/proc/self/mountinfo");
  unsigned connection = 0;
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream fields(line);
    std::string id, parent, device, root, point;
    fields >> id >> parent >> device >> root >> point;
    if (point == mountpoint) connection = unsigned(std::stoul(device.substr(device.find(':') + 1)));
  }
  return connection;
}

/// Prints the counts for every SIGUSR1. A thread that waits for the signal, since
/// nothing that prints may run in a handler. Must be made before any other thread,
/// so that all of them inherit the blocked signal.
class CountsReporter {
 public:
  explicit CountsReporter(const OperationCounts& counts) : counts_(counts) {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
    // The signals that end the session must reach the main thread: they end its wait in libfuse's loop.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
  ~CountsReporter() {
    thread_.request_stop();
    pthread_kill(thread_.native_handle(), SIGUSR1);
  }

 private:
  void run(const std::stop_token& stop) {
    for (int signal = 0; sigwait(&signals_, &signal) == 0 && !stop.stop_requested();)
      print_line(counts_.json());
  }

  const OperationCounts& counts_;
  sigset_t signals_;
  std::jthread thread_;
};

struct DestroySession {
  void operator()(fuse_session* session) const { fuse_session_destroy(session); }
};
struct DestroyLoopConfig {
  void operator()(fuse_loop_config* config) const { fuse_loop_cfg_destroy(config); }
};

int loop(fuse_session* session, unsigned threads) {
  const std::unique_ptr<fuse_loop_config, DestroyLoopConfig> config(fuse_loop_cfg_create());
  fuse_loop_cfg_set_max_threads(config.get(), threads);
  fuse_loop_cfg_set_idle_threads(config.get(), threads);
  return fuse_session_loop_mt(session, config.get());
}

}  // namespace

int serve(const MountOptions& options, const fuse_lowlevel_ops& operations, void* filesystem,
          const OperationCounts& counts) {
  prctl(PR_SET_TIMERSLACK, 1);  // inherited by the threads: delays are kept to the microsecond
  if (options.die_with_parent) prctl(PR_SET_PDEATHSIG, SIGTERM);
  const CountsReporter reporter(counts);

  std::string program = "pwalk-test-fs", flag = "-o", words = "ro,fsname=pwalk-test-fs";
  if (!options.subtype.empty()) words += ",subtype=" + options.subtype;
  char* argv[] = {program.data(), flag.data(), words.data(), nullptr};
  fuse_args args = FUSE_ARGS_INIT(3, argv);
  const std::unique_ptr<fuse_session, DestroySession> session(
      fuse_session_new(&args, &operations, sizeof operations, filesystem));
  fuse_opt_free_args(&args);
  if (!session || fuse_set_signal_handlers(session.get()) != 0) return 1;
  if (fuse_session_mount(session.get(), options.mountpoint.c_str()) != 0) return 1;
  print_line("{\"mounted\": \"" + options.mountpoint +
             "\", \"connection\": " + std::to_string(connection_of(options.mountpoint)) + "}");
  const int ended = loop(session.get(), options.threads);
  fuse_session_unmount(session.get());
  fuse_remove_signal_handlers(session.get());
  print_line(counts.json());
  return ended < 0 ? 1 : 0;
}

void configure_connection(fuse_conn_info& connection, Plus plus) {
  const unsigned both = FUSE_CAP_READDIRPLUS | FUSE_CAP_READDIRPLUS_AUTO;
  connection.want &= ~both;
  if (plus == Plus::always) connection.want |= connection.capable & FUSE_CAP_READDIRPLUS;
  if (plus == Plus::by_kernel) connection.want |= connection.capable & both;
  connection.want |= connection.capable & FUSE_CAP_PARALLEL_DIROPS;
  connection.max_background = 1000;
  connection.congestion_threshold = 1000;
}

}  // namespace pwalk::fuse
