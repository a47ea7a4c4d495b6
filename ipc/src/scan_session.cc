#include "pwalk/ipc/scan_session.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/random.h>
#include <sys/resource.h>

#include <algorithm>
#include <bit>
#include <mutex>

#include "block_pool.h"
#include "control_memory.h"
#include "control_server.h"
#include "distributor.h"
#include "scan_home.h"
#include "scan_status.h"
#include "timestamp.h"

namespace pwalk::ipc {
namespace {

unsigned usable_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return unsigned(std::max(1, CPU_COUNT(&set)));
}

/// Each consumer takes three descriptors, and the usual soft limit of 1024, there for programs that
/// call select(2), would let in no more than some 300.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

/// Few lanes for few blocks: each may hold one open, and the consumers need the rest.
std::uint32_t lanes_for(unsigned wanted, std::uint32_t blocks) {
  const unsigned lanes = wanted ? wanted : usable_cpus();
  return std::clamp<std::uint32_t>(lanes, 1, std::min<std::uint32_t>(kMaxLanes, std::max(1u, blocks / 4)));
}

/// Over all lanes as many descriptors as units, so that a ring is never full
/// while the pool is not.
ScanGeometry geometry_for(std::uint64_t pool_bytes, unsigned wanted_lanes) {
  ScanGeometry geometry;
  const auto units = std::uint32_t(pool_bytes / kUnitBytes);
  geometry.pool_bytes = pool_bytes;
  geometry.lanes = lanes_for(wanted_lanes, std::uint32_t(pool_bytes / kBlockBytes));
  geometry.slots = std::bit_ceil((units + geometry.lanes - 1) / geometry.lanes);
  geometry.return_slots = std::min(kMaxReturnSlots, std::bit_ceil(units));
  if (::getrandom(geometry.scan_id.data(), geometry.scan_id.size(), 0) < 0) geometry.scan_id = {};
  return geometry;
}

/// The nodes of all lanes, ascending; none unless there are several.
std::vector<unsigned> nodes_of(const SessionOptions& options) {
  std::vector<unsigned> nodes = options.lane_nodes;
  std::sort(nodes.begin(), nodes.end());
  nodes.erase(std::unique(nodes.begin(), nodes.end()), nodes.end());
  return nodes.size() > 1 ? nodes : std::vector<unsigned>{};
}

/// Per lane the place of its node among those of the pool, if it has any.
std::vector<std::uint16_t> homes_of(const std::vector<unsigned>& lane_nodes, const std::vector<unsigned>& nodes,
                                    std::uint32_t lanes) {
  std::vector<std::uint16_t> homes;
  for (std::uint32_t lane = 0; lane < lanes && !nodes.empty(); ++lane) {
    const unsigned node = lane_nodes[lane % lane_nodes.size()];
    homes.push_back(std::uint16_t(std::lower_bound(nodes.begin(), nodes.end(), node) - nodes.begin()));
  }
  return homes;
}

}  // namespace

struct ScanSession::Impl {
  Impl(const SessionOptions& asked, BlockPool&& memory, ControlMemory&& shared, ScanHome&& directory)
      : name(asked.name),
        pool(std::move(memory)),
        control(std::move(shared)),
        distributor({pool.data(), pool.bytes()}, control, pool.parts(),
                    homes_of(asked.lane_nodes, pool.nodes(), control.geometry().lanes)),
        home(std::move(directory)) {
    report = {.pages = std::string(pool.pages()),
              .reason = std::string(pool.reason()),
              .bytes = pool.bytes(),
              .blocks = pool.blocks(),
              .lanes = control.geometry().lanes,
              .nodes = pool.nodes()};
    status.name = name;
    status.roots = asked.roots;
    status.state = "waiting";
    status.started = rfc3339(::time(nullptr));
    status.pool_bytes = report.bytes;
    status.pages = report.pages;
  }

  std::string print_current_status() {
    ScanStatus now;
    {
      const std::lock_guard lock(status_mutex);
      now = status;
    }
    now.consumers = distributor.consumers();
    return print_status(now);
  }

  const std::string name;
  PoolReport report;
  BlockPool pool;
  ControlMemory control;
  Distributor distributor;
  ScanHome home;
  std::mutex status_mutex;
  ScanStatus status;  ///< all but the consumers
  std::unique_ptr<ControlServer> server;
};

Result<ScanSession> ScanSession::create(const SessionOptions& options) {
  raise_descriptor_limit();
  auto home = ScanHome::make(runtime_directory(), options.name, options.share_group);
  if (!home) return tl::unexpected(home.error());
  auto pool = BlockPool::create(options.pool_bytes, options.huge_pages, nodes_of(options));
  if (!pool) return tl::unexpected(pool.error());
  auto control = ControlMemory::create(geometry_for(pool->bytes(), options.lanes));
  if (!control) return tl::unexpected(control.error());

  auto impl = std::make_unique<Impl>(options, *std::move(pool), *std::move(control), *std::move(home));
  impl->distributor.govern_groups({.lease = options.group_lease, .attempts = options.group_attempts},
                                  options.group_linger);
  const ScanCredentials credentials{options.name, impl->control.geometry().scan_id, impl->control.fd(),
                                    impl->pool.fd(), options.lends_pool, options.share_group};
  auto server = ControlServer::create(impl->home.listener(), impl->distributor, credentials,
                                      [self = impl.get()] { return self->print_current_status(); });
  if (!server) return tl::unexpected(server.error());
  impl->server = *std::move(server);
  if (impl->pool.ready() < impl->pool.bytes())
    impl->distributor.make_as_needed([self = impl.get()](std::uint16_t node_index) { return self->pool.grow(node_index); });
  if (auto appeared = impl->home.appear(); !appeared) return tl::unexpected(appeared.error());
  return ScanSession(std::move(impl));
}

ScanSession::ScanSession(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ScanSession::ScanSession(ScanSession&&) noexcept = default;
ScanSession::~ScanSession() {
  if (impl_) impl_->distributor.finish(false);
}

const std::string& ScanSession::name() const {
  return impl_->name;
}
const PoolReport& ScanSession::pool() const {
  return impl_->report;
}
std::size_t ScanSession::max_batch_bytes() const {
  return impl_->distributor.max_batch_bytes();
}

Result<void> ScanSession::publish(unsigned worker, const OutgoingBatch& batch) {
  return impl_->distributor.publish(worker, batch);
}

void ScanSession::serve(std::chrono::milliseconds timeout) {
  impl_->server->serve(timeout);
}
void ScanSession::wake() {
  impl_->server->wake();
}
void ScanSession::reuse_without_consumers(bool allowed) {
  impl_->distributor.reuse_without_consumers(allowed);
}
void ScanSession::finish(bool complete) {
  impl_->distributor.finish(complete);
}
void ScanSession::stop() {
  impl_->distributor.stop();
}

Attendance ScanSession::attendance() const {
  return impl_->distributor.attendance();
}
bool ScanSession::starved() const {
  return impl_->distributor.starved();
}
std::chrono::nanoseconds ScanSession::backpressure() const {
  return impl_->distributor.backpressure();
}
std::uint64_t ScanSession::batches() const {
  return impl_->distributor.batches();
}
std::string ScanSession::pool_shortage() const {
  return impl_->distributor.shortage();
}
std::vector<ConsumerStatus> ScanSession::consumers() const {
  return impl_->distributor.consumers();
}

std::vector<GroupStatus> ScanSession::groups() const {
  return impl_->distributor.groups();
}
std::vector<ConsumerStatus> ScanSession::watch_slow_consumers(
    std::optional<std::chrono::nanoseconds> evict_after, bool only_who_read_on) {
  return impl_->distributor.watch_slow_consumers(evict_after, only_who_read_on);
}

void ScanSession::offer_image(std::string partial_file, bool goes_on) {
  const std::lock_guard lock(impl_->status_mutex);
  impl_->status.goes_on_from_image = goes_on && !partial_file.empty();
  impl_->status.image = std::move(partial_file);
}

void ScanSession::set_status(std::string state, std::uint64_t entries, std::uint64_t errors) {
  const std::lock_guard lock(impl_->status_mutex);
  impl_->status.state = std::move(state);
  impl_->status.entries = entries;
  impl_->status.errors = errors;
}

void ScanSession::set_figures(const ScanFigures& figures) {
  {
    const std::lock_guard lock(impl_->status_mutex);
    impl_->status.figures = figures;
  }
  write_figures<Atomics>(impl_->control.writable_header().figures, figures);
}

}  // namespace pwalk::ipc
