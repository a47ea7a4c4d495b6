#include "open_directories.h"

#include <fcntl.h>

#include <algorithm>

namespace pwalk {

using schema::Operation;

namespace {

constexpr int kNapMs = 5;

/// Descriptors that one attempt to open makes others give back before it waits.
constexpr unsigned kMostGivenBack = 16;

/// How far up an ancestor is looked for that is wanted; walking down is dearer.
constexpr unsigned kLongestClimb = 64;

}  // namespace

OpenDirectories::OpenDirectories(const sys::Calls& calls, const AttributeReader& attributes, const ScanPlan& plan,
                                 const std::atomic<bool>& stop)
    : calls_(calls),
      attributes_(attributes),
      plan_(plan),
      stop_(stop),
      workers_(plan.most_threads),
      shelves_(new Shelf[workers_]),
      budget_(std::max(plan.descriptor_budget, 2 * workers_)),
      noatime_(plan.options.kernel.use_noatime),
      patience_ms_(kPatienceMs) {}

Opened OpenDirectories::open(DirectoryNode& node, unsigned worker) {
  const Opened opened = with_patience(worker, [&] { return open_from_parent(node, worker, IfStale::renew); });
  if (opened) {
    if (!node.identity().known) node.settle(attributes_.identify(opened.fd));
    node.add_user();
    node.lease.install(opened.fd, DescriptorLease::Opening::first);
  }
  if (node.parent()) drop_user(*node.parent());
  return opened;
}

Opened OpenDirectories::pin(DirectoryNode& node, unsigned worker) {
  return with_patience(worker, [&] { return pin_or_reopen(node, worker); });
}

void OpenDirectories::put_aside(DirectoryNode& node, unsigned worker) {
  node.lease.keep_place();
  shelve(node, worker);
  node.lease.unpin();
}

void OpenDirectories::leave(DirectoryNode& node, unsigned worker) {
  node.is_listed.store(true, std::memory_order_relaxed);  // published by the unpin
  if (!node.is_sole_user()) shelve(node, worker);
  node.lease.unpin();
  drop_user(node);
}

void OpenDirectories::drop_user(DirectoryNode& node) {
  if (!node.drop_user()) return;
  unshelve(node);
  const int fd = node.lease.take_idle();
  if (fd < 0) return;
  if (gave_back_.load(std::memory_order_relaxed)) bring_back_ancestor(node, fd);
  close(fd);
}

bool OpenDirectories::revive(DirectoryNode& node, int fd, unsigned worker) {
  const Opened fresh = open_anew(node, worker);
  if (!fresh) return false;
  const bool replaced = calls_.replace(fresh.fd, fd) >= 0;
  close(fresh.fd);
  return replaced;
}

bool OpenDirectories::find_room(unsigned worker, unsigned failures) {
  // The limit is tighter than planned: others of this process hold descriptors too.
  budget_.store(std::max(2u, open_.load(std::memory_order_relaxed)), std::memory_order_relaxed);
  // What is given back may be what the next attempt opens again, so not for ever.
  if (failures < kMostGivenBack && give_back_one(worker)) return true;
  if (stop_.load(std::memory_order_relaxed)) return false;
  if (patience_ms_.fetch_sub(kNapMs, std::memory_order_relaxed) <= 0) return false;
  calls_.sleep(std::chrono::milliseconds(kNapMs));
  return true;
}

// The new descriptor stays in the stale one's place, unless the parent's reader is not
// done with it: he would go on from the start of the new one.
Opened OpenDirectories::open_below_renewed(DirectoryNode& node, int stale, unsigned worker) {
  DirectoryNode& parent = *node.parent();
  const Opened fresh = open_anew(parent, worker);
  if (!fresh) return {-1, is_shortage(fresh.error) ? fresh.error : ESTALE, Operation::open};
  const Opened opened = open_by_name(fresh.fd, node, worker);
  if (parent.is_listed.load(std::memory_order_relaxed)) calls_.replace(fresh.fd, stale);
  close(fresh.fd);
  return opened;
}

// Another descriptor of a directory that has one, the caller's; ESTALE, another object has its name now.
Opened OpenDirectories::open_anew(DirectoryNode& node, unsigned worker) {
  if (node.parent()) node.parent()->add_user();
  const Opened fresh = open_from_parent(node, worker, IfStale::fail);
  if (node.parent()) drop_user(*node.parent());
  if (!fresh || attributes_.identify(fresh.fd).same_object(node.identity())) return fresh;
  close(fresh.fd);
  return {-1, ESTALE, Operation::open};
}

// ESTALE: the kernel has tried the name twice already (retry_estale), so it is the
// parent's descriptor that has gone stale. The pin on it stays until it is renewed.
Opened OpenDirectories::open_from_parent(DirectoryNode& node, unsigned worker, IfStale if_stale) {
  DirectoryNode* const parent = node.parent();
  if (!parent) return open_by_name(AT_FDCWD, node, worker);
  const Opened base = pin_or_reopen(*parent, worker);
  if (!base) return base;
  Opened opened = open_by_name(base.fd, node, worker);
  if (opened.error == ESTALE && if_stale == IfStale::renew) opened = open_below_renewed(node, base.fd, worker);
  parent->lease.unpin();
  return opened;
}

int OpenDirectories::open_with(int extra_flags, int directory, const DirectoryNode& node) {
  const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | extra_flags;
  return node.parent() ? calls_.openat(directory, node.name(), flags | (node.through_link() ? 0 : O_NOFOLLOW))
                       : calls_.open(node.name(), flags);
}

// O_NOATIME is for who owns the directory, or may act as if (EPERM); O_DIRECT for file
// systems that have it for directories (EINVAL). What is refused once is not asked again.
int OpenDirectories::open_as_wished(int directory, const DirectoryNode& node) {
  const bool noatime = noatime_.load(std::memory_order_relaxed);
  const bool direct = plan_.roots[node.root()].direct && direct_.load(std::memory_order_relaxed);
  int fd = open_with((noatime ? O_NOATIME : 0) | (direct ? O_DIRECT : 0), directory, node);
  if (fd == -EINVAL && direct) {
    fd = open_with(noatime ? O_NOATIME : 0, directory, node);
    if (fd >= 0) direct_.store(false, std::memory_order_relaxed);
  }
  if (fd == -EPERM && noatime) {
    fd = open_with(0, directory, node);
    if (fd >= 0) noatime_.store(false, std::memory_order_relaxed);
  }
  return fd;
}

Opened OpenDirectories::open_by_name(int directory, const DirectoryNode& node, unsigned worker) {
  make_room(worker);
  const int fd = open_as_wished(directory, node);
  if (fd < 0) return {-1, -fd, Operation::open};
  open_.fetch_add(1, std::memory_order_relaxed);
  return {fd, 0, Operation::none};
}

void OpenDirectories::make_room(unsigned worker) {
  while (open_.load(std::memory_order_relaxed) >= budget_.load(std::memory_order_relaxed))
    if (!give_back_one(worker)) return;  // all in use: the limit itself has the last word
}

// Climbs to the nearest ancestor that is open, then comes down again. Each
// directory on the way gets its descriptor back, and keeps it if somebody else
// wants it: the next to be needed is most likely its neighbour.
Opened OpenDirectories::pin_or_reopen(DirectoryNode& node, unsigned worker) {
  if (const int fd = node.lease.try_pin(); fd >= 0) return {fd, 0, Operation::none};
  std::vector<DirectoryNode*> down;
  DirectoryNode* base = &node;
  Opened at{AT_FDCWD, 0, Operation::none};
  for (; base; base = base->parent()) {
    base->add_user();
    if (const int fd = base->lease.try_pin(); fd >= 0) {
      at.fd = fd;
      break;
    }
    down.push_back(base);
  }
  for (; at && !down.empty(); down.pop_back()) {
    at = reopen_below(at.fd, *down.back(), worker);
    if (base) base->lease.unpin(), drop_user(*base);
    base = down.back();
  }
  if (base && !at) drop_user(*base);
  for (DirectoryNode* unreached : down) drop_user(*unreached);
  if (at) drop_user(node);  // the caller is a user already
  return at;
}

Opened OpenDirectories::reopen_below(int directory, DirectoryNode& node, unsigned worker) {
  const Opened fresh = open_by_name(directory, node, worker);
  if (!fresh) return {-1, fresh.error, Operation::chdir};
  if (!attributes_.identify(fresh.fd).same_object(node.identity())) {
    close(fresh.fd);
    return {-1, ESTALE, Operation::chdir};
  }
  if (!take_back(node, fresh.fd)) {
    close(fresh.fd);  // another worker was faster
    const int theirs = node.lease.try_pin();
    return theirs >= 0 ? Opened{theirs, 0, Operation::none} : reopen_below(directory, node, worker);
  }
  return fresh;
}

// The caller, a user, gives a closed directory its descriptor back, pinned.
bool OpenDirectories::take_back(DirectoryNode& node, int fd) {
  if (!node.lease.install(fd, DescriptorLease::Opening::again)) return false;
  if (const auto shelf = node.shelf.load(std::memory_order_acquire); shelf != 0) shelve(node, shelf - 1);
  return true;
}

// `fd` is about to be closed, and the work goes on above it. Who is wanted there
// may have given its descriptor back, and is closer from here than from the root.
void OpenDirectories::bring_back_ancestor(DirectoryNode& node, int fd) {
  DirectoryNode* goal = node.parent();
  for (unsigned steps = 0; goal && !goal->has_users(); goal = goal->parent())
    if (++steps == kLongestClimb) return;
  if (!goal) return;
  goal->add_user();  // it may have lost the others just now; then this changes nothing
  if (goal->lease.try_pin() < 0)
    climb(node, fd, *goal);
  else
    goal->lease.unpin();
  drop_user(*goal);
}

void OpenDirectories::climb(DirectoryNode& node, int fd, DirectoryNode& goal) {
  int at = fd;
  for (DirectoryNode* above = node.parent();; above = above->parent()) {
    make_room(0);
    const int up = calls_.openat(at, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (at != fd) close(at);
    if (up < 0) return;
    open_.fetch_add(1, std::memory_order_relaxed);
    at = up;
    if (!attributes_.identify(at).same_object(above->identity())) break;
    if (above != &goal) continue;
    if (!take_back(goal, at)) break;
    return goal.lease.unpin();
  }
  close(at);
}

// A directory keeps its shelf, so that one mutex guards its hook for ever.
void OpenDirectories::shelve(DirectoryNode& node, unsigned worker) {
  std::uint32_t number = 0;
  if (node.shelf.compare_exchange_strong(number, worker + 1, std::memory_order_acq_rel)) number = worker + 1;
  Shelf& shelf = shelves_[number - 1];
  const std::lock_guard lock(shelf.mutex);
  if (!node.shelf_hook.is_linked()) shelf.nodes.push_back(node);
}

void OpenDirectories::unshelve(DirectoryNode& node) {
  const std::uint32_t number = node.shelf.load(std::memory_order_acquire);
  if (number == 0) return;
  Shelf& shelf = shelves_[number - 1];
  const std::lock_guard lock(shelf.mutex);
  if (node.shelf_hook.is_linked()) shelf.nodes.erase(shelf.nodes.iterator_to(node));
}

bool OpenDirectories::give_back_one(unsigned worker) {
  for (unsigned turn = 0; turn < workers_; ++turn)
    if (give_back_from(shelves_[(worker + turn) % workers_])) return true;
  return false;
}

bool OpenDirectories::give_back_from(Shelf& shelf) {
  int fd = -1;
  {
    const std::lock_guard lock(shelf.mutex);
    for (auto at = shelf.nodes.begin(); fd < 0 && at != shelf.nodes.end();) {
      fd = at->lease.take_idle();
      at = fd >= 0 ? shelf.nodes.erase(at) : std::next(at);
    }
  }
  if (fd < 0) return false;
  gave_back_.store(true, std::memory_order_relaxed);
  close(fd);
  return true;
}

void OpenDirectories::close(int fd) {
  calls_.close(fd);
  open_.fetch_sub(1, std::memory_order_relaxed);
}

}  // namespace pwalk
