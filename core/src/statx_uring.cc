#include "statx_uring.h"

#include <liburing.h>

#include <array>
#include <bit>
#include <vector>

namespace pwalk {
namespace {

constexpr unsigned kLeastDepth = 8;
constexpr std::uint64_t kCancellation = ~std::uint64_t{0};  ///< user data of what is no statx

/// How completions are delivered, the cheapest first; older kernels refuse the newer flags (EINVAL).
struct Delivery {
  unsigned flags;
  const char* name;
};
constexpr std::array<Delivery, 4> kDeliveries{{
    {IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN, "deferred task work"},  // Linux 6.1
    {IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN, "cooperative task work"},  // 6.0
    {IORING_SETUP_COOP_TASKRUN, "cooperative task work"},                               // 5.19
    {0, "interrupting task work"},
}};

/// A ring, given back when this goes.
class Ring {
 public:
  Ring() = default;
  ~Ring() {
    if (open_) io_uring_queue_exit(&ring_);
  }
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  int open(unsigned depth, unsigned flags) {
    const int result = io_uring_queue_init(depth, &ring_, flags);
    open_ = result == 0;
    return result;
  }
  io_uring* get() { return &ring_; }

 private:
  io_uring ring_{};
  bool open_ = false;
};

bool can_statx(io_uring* ring) {
  const std::unique_ptr<io_uring_probe, decltype(&io_uring_free_probe)> probe(io_uring_get_probe_ring(ring),
                                                                            io_uring_free_probe);
  return probe && io_uring_opcode_supported(probe.get(), IORING_OP_STATX);
}

tl::unexpected<Error> refusal(int error) {
  const char* why = error == EPERM    ? " (sysctl kernel.io_uring_disabled, or a sandbox)"
                    : error == ENOMEM ? " (RLIMIT_MEMLOCK)"
                                      : "";
  return fail(error, std::string("io_uring cannot be had") + why);
}

}  // namespace

/// Request number n uses slot n % depth; slots are reused in order, so a slot is
/// free once its answer was taken.
struct StatxUring::Impl {
  enum class State : unsigned char { idle, in_flight, answered };
  struct Slot {
    struct ::statx answer;
    int result = 0;
    State state = State::idle;
  };

  Ring ring;
  std::vector<Slot> slots;
  const char* delivery = "";
  const std::atomic<bool>* stop = nullptr;

  int directory = -1;
  std::span<const char* const> names;
  int flags = 0;
  unsigned mask = 0;
  std::size_t submitted = 0;  ///< requests of this block handed to the ring
  std::size_t taken = 0;      ///< answers of this block handed out
  std::size_t in_flight = 0;
  bool cancelled = false;

  bool stopping() const { return stop && stop->load(std::memory_order_relaxed); }
  Slot& slot(std::size_t number) { return slots[number & (slots.size() - 1)]; }

  Result<void> open(Limits limits);
  void fill();
  void prepare(std::size_t number);
  void reap();
  void wait();
  void cancel_all();
};

Result<void> StatxUring::Impl::open(Limits limits) {
  int result = -EINVAL;
  unsigned depth = std::bit_ceil(std::max(limits.depth, kLeastDepth));
  for (std::size_t way = 0; way < kDeliveries.size() && result == -EINVAL; ++way) {
    delivery = kDeliveries[way].name;
    do result = ring.open(depth, kDeliveries[way].flags);
    while (result == -ENOMEM && (depth /= 2) >= kLeastDepth);
  }
  if (result < 0) return refusal(-result);
  if (!can_statx(ring.get())) return fail(ENOTSUP, "this kernel's io_uring has no statx");
  std::array<unsigned, 2> most{limits.workers, 0};  // bounded, unbounded (0: as it is); EINVAL before Linux 5.15
  io_uring_register_iowq_max_workers(ring.get(), most.data());
  slots.resize(depth);
  return {};
}

/// Submits while there are names and slots: in bulk, when half of the slots are free.
void StatxUring::Impl::fill() {
  if (cancelled || submitted == names.size()) return;
  const std::size_t busy = submitted - taken;
  if (busy > slots.size() / 2) return;
  const std::size_t until = std::min(names.size(), taken + slots.size());
  while (submitted < until) prepare(submitted++);
  io_uring_submit(ring.get());
}

void StatxUring::Impl::prepare(std::size_t number) {
  Slot& target = slot(number);
  io_uring_sqe* sqe = io_uring_get_sqe(ring.get());
  if (!sqe) {  // the kernel has not taken what was queued
    io_uring_submit(ring.get());
    sqe = io_uring_get_sqe(ring.get());
  }
  if (!sqe) {
    target.result = -EAGAIN;
    target.state = State::answered;
    return;
  }
  io_uring_prep_statx(sqe, directory, names[number], flags, mask, &target.answer);
  io_uring_sqe_set_data64(sqe, number & (slots.size() - 1));
  target.state = State::in_flight;
  ++in_flight;
}

/// Takes note of every completion that has arrived.
void StatxUring::Impl::reap() {
  io_uring_cqe* completion = nullptr;
  while (io_uring_peek_cqe(ring.get(), &completion) == 0) {
    const std::uint64_t which = io_uring_cqe_get_data64(completion);
    if (which < slots.size()) {
      slots[which].result = completion->res;
      slots[which].state = State::answered;
      --in_flight;
    }
    io_uring_cqe_seen(ring.get(), completion);
  }
}

/// For at least one completion, but not much longer than the time in which a stop has to be noticed.
/// EEXIST: the ring is another thread's, one that was given up and has ended. Its requests have
/// ended too, since the kernel lets no thread go before, but nobody can learn how.
void StatxUring::Impl::wait() {
  __kernel_timespec patience{0, 100'000'000};
  io_uring_cqe* completion = nullptr;
  const int result = io_uring_submit_and_wait_timeout(ring.get(), &completion, 1, &patience, nullptr);
  reap();
  if (result == -EEXIST) in_flight = 0;
  if (stopping() && !cancelled) cancel_all();
}

void StatxUring::Impl::cancel_all() {
  cancelled = true;
  io_uring_sqe* sqe = io_uring_get_sqe(ring.get());
  if (!sqe) return;
  io_uring_prep_cancel64(sqe, 0, IORING_ASYNC_CANCEL_ANY);
  io_uring_sqe_set_data64(sqe, kCancellation);
  io_uring_submit(ring.get());
}

StatxUring::StatxUring(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
StatxUring::~StatxUring() { end(); }

Result<std::unique_ptr<StatxUring>> StatxUring::create(Limits limits, const std::atomic<bool>* stop) {
  auto impl = std::make_unique<Impl>();
  impl->stop = stop;
  if (auto opened = impl->open(limits); !opened) return tl::unexpected(opened.error());
  return std::unique_ptr<StatxUring>(new StatxUring(std::move(impl)));
}

void StatxUring::begin(int directory, std::span<const char* const> names, int flags, unsigned mask) {
  Impl& impl = *impl_;
  impl.directory = directory;
  impl.names = names;
  impl.flags = flags;
  impl.mask = mask;
  impl.submitted = impl.taken = 0;
  impl.fill();
}

int StatxUring::take(struct ::statx& answer) {
  Impl& impl = *impl_;
  if (impl.taken == impl.submitted) return -ECANCELED;  // stopped before it was asked
  Impl::Slot& slot = impl.slot(impl.taken);
  while (slot.state == Impl::State::in_flight) impl.wait();
  answer = slot.answer;
  slot.state = Impl::State::idle;
  ++impl.taken;
  impl.fill();
  return slot.result;
}

void StatxUring::end() {
  Impl& impl = *impl_;
  if (impl.in_flight > 0) impl.cancel_all();
  while (impl.in_flight > 0) impl.wait();
  for (Impl::Slot& slot : impl.slots) slot.state = Impl::State::idle;
  impl.names = {};
  impl.submitted = impl.taken = 0;
  impl.cancelled = false;
}

std::string StatxUring::explain() const {
  return "depth " + std::to_string(impl_->slots.size()) + ", " + impl_->delivery;
}

}  // namespace pwalk
