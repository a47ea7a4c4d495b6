#include "diff/tree_difference.h"

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>
#include <vector>

#include "pwalk/image/tree_walk.h"

namespace pwalk::tools {
namespace {

using schema::Column;

/// What makes an entry the same one under another name: the device (0: the root's), the
/// number and the type.
using Identity = std::tuple<std::uint64_t, std::uint64_t, char>;

std::optional<Identity> identity_of(const EntryRef& entry, std::uint64_t root_device) {
  if (!entry.has(Column::inode) || !entry.has(Column::device) || entry.error() != 0) return std::nullopt;
  const auto device = entry.get<std::uint64_t>(Column::device);
  return Identity{device == root_device ? 0 : device, entry.get<std::uint64_t>(Column::inode), entry.type()};
}

bool differs(const EntryRef& before, const EntryRef& after, Column column) {
  if (!before.has(column) || !after.has(column)) return false;
  if (schema::is_text(column)) return before.text(column) != after.text(column);
  return before.get<std::uint64_t>(column) != after.get<std::uint64_t>(column);
}

ChangedFacts changed_facts(const EntryRef& before, const EntryRef& after, bool same_inodes) {
  ChangedFacts facts;
  facts.type = before.type() != after.type();
  facts.mode = differs(before, after, Column::mode) && !facts.type;
  facts.owner = differs(before, after, Column::uid) || differs(before, after, Column::gid);
  facts.target = differs(before, after, Column::target);
  facts.inode = same_inodes && differs(before, after, Column::inode);
  if (before.is_directory() && after.is_directory()) return facts;
  facts.size = differs(before, after, Column::size);
  facts.mtime = differs(before, after, Column::mtime);
  return facts;
}

std::string joined(const std::string& directory, std::string_view name) {
  return directory.empty() ? std::string(name) : directory + "/" + std::string(name);
}

std::string absolute(const ComparedTree& tree, const std::string& path) {
  if (path.empty()) return tree.root;
  return (tree.root == "/" ? "" : tree.root) + "/" + path;
}

Result<std::vector<EntryRef>> sorted_entries(const ComparedTree& tree, const std::string& path) {
  const auto listing = tree.results.list(absolute(tree, path));
  if (!listing) return tl::unexpected(listing.error());
  std::vector<EntryRef> entries(listing->begin(), listing->end());
  std::sort(entries.begin(), entries.end(), [](const EntryRef& a, const EntryRef& b) { return a.name() < b.name(); });
  return entries;
}

/// An entry that is on one side only, until it is known whether it moved.
struct Lonely {
  std::string path;
  EntryRef entry;
};

class Comparison {
 public:
  Comparison(const ComparedTree& before, const ComparedTree& after, const std::function<bool(const Difference&)>& tell)
      : before_(before), after_(after), tell_(tell) {}

  Result<void> run() {
    const auto old_root = before_.results.stat(before_.root), new_root = after_.results.stat(after_.root);
    if (!old_root) return tl::unexpected(old_root.error());
    if (!new_root) return tl::unexpected(new_root.error());
    old_device_ = old_root->get<std::uint64_t>(Column::device);
    new_device_ = new_root->get<std::uint64_t>(Column::device);
    same_inodes_ = old_root->has(Column::inode) && new_root->has(Column::inode) && !differs(*old_root, *new_root, Column::inode);
    compare_entries("", "", *old_root, *new_root);
    if (auto merged = merge_waiting(); !merged) return merged;
    // What is below a directory that moved, or was replaced, is compared in turn; that may
    // show further moves.
    while (go_on_ && (pair_moves() || pair_replaced()))
      if (auto merged = merge_waiting(); !merged) return merged;
    return tell_lonely();
  }

 private:
  struct Pair {
    std::string before, after;
  };

  void tell(const Difference& difference) { go_on_ = go_on_ && tell_(difference); }

  Result<void> merge_waiting() {
    while (go_on_ && !waiting_.empty()) {
      const Pair pair = std::move(waiting_.back());
      waiting_.pop_back();
      if (auto merged = merge(pair); !merged) return merged;
    }
    return {};
  }

  Result<void> merge(const Pair& pair) {
    const auto olds = sorted_entries(before_, pair.before);
    if (!olds) return tl::unexpected(olds.error());
    const auto news = sorted_entries(after_, pair.after);
    if (!news) return tl::unexpected(news.error());
    const std::size_t mark = waiting_.size();
    auto old_at = olds->begin();
    auto new_at = news->begin();
    while (go_on_ && (old_at != olds->end() || new_at != news->end())) {
      const int order = old_at == olds->end() ? 1 : new_at == news->end() ? -1 : old_at->name().compare(new_at->name());
      if (order < 0) gone_.push_back({joined(pair.before, old_at->name()), *old_at});
      if (order > 0) come_.push_back({joined(pair.after, new_at->name()), *new_at});
      if (order == 0)
        compare_entries(joined(pair.before, old_at->name()), joined(pair.after, new_at->name()), *old_at, *new_at);
      if (order <= 0) ++old_at;
      if (order >= 0) ++new_at;
    }
    std::reverse(waiting_.begin() + std::ptrdiff_t(mark), waiting_.end());  // the first name is taken next
    return {};
  }

  /// Of one name on both sides. Another inode, or another type, is first of all
  /// something that went and something that came: either may have moved.
  void compare_entries(const std::string& old_path, const std::string& new_path, const EntryRef& before, const EntryRef& after) {
    const ChangedFacts facts = changed_facts(before, after, same_inodes_);
    if (facts.type || facts.inode) {
      gone_.push_back({old_path, before});
      come_.push_back({new_path, after});
      return;
    }
    tell_changed(old_path, new_path, before, after, facts);
  }

  void tell_changed(const std::string& old_path, const std::string& new_path, const EntryRef& before, const EntryRef& after,
                    const ChangedFacts& facts) {
    if (facts.any()) tell({DifferenceKind::changed, absolute(after_, new_path), {}, before, after, facts});
    if (before.is_directory() && after.is_directory()) waiting_.push_back({old_path, new_path});
  }

  /// Tells of what went and came as one inode. True if any did.
  bool pair_moves() {
    if (!same_inodes_) return false;
    std::multimap<Identity, std::size_t> went;
    for (std::size_t i = 0; i < gone_.size(); ++i)
      if (const auto identity = identity_of(gone_[i].entry, old_device_)) went.emplace(*identity, i);
    return pair([&](const Lonely& now) -> std::optional<std::size_t> {
      const auto identity = identity_of(now.entry, new_device_);
      const auto match = identity ? went.find(*identity) : went.end();
      if (match == went.end()) return std::nullopt;
      const std::size_t then = match->second;
      went.erase(match);
      tell_moved(gone_[then], now);
      return then;
    });
  }

  void tell_moved(const Lonely& then, const Lonely& now) {
    const ChangedFacts facts = changed_facts(then.entry, now.entry, same_inodes_);
    tell({DifferenceKind::moved, absolute(after_, now.path), absolute(before_, then.path), then.entry, now.entry, facts});
    if (now.entry.is_directory()) waiting_.push_back({then.path, now.path});
  }

  /// Tells of what has another inode under one name and did not move: it changed. True if any did.
  bool pair_replaced() {
    std::map<std::string_view, std::size_t> went;
    for (std::size_t i = 0; i < gone_.size(); ++i) went.emplace(gone_[i].path, i);
    return pair([&](const Lonely& now) -> std::optional<std::size_t> {
      const auto match = went.find(now.path);
      if (match == went.end() || gone_[match->second].entry.type() != now.entry.type()) return std::nullopt;
      const Lonely& then = gone_[match->second];
      tell_changed(then.path, now.path, then.entry, now.entry, changed_facts(then.entry, now.entry, same_inodes_));
      return match->second;
    });
  }

  /// Takes out of both lists what `find` finds a partner for. True if any was.
  template <class Find>
  bool pair(Find find) {
    std::vector<bool> paired(gone_.size(), false);
    const auto taken = std::erase_if(come_, [&](const Lonely& now) {
      const std::optional<std::size_t> partner = find(now);
      if (partner) paired[*partner] = true;
      return partner.has_value();
    });
    std::size_t at = 0;
    std::erase_if(gone_, [&](const Lonely&) { return bool(paired[at++]); });
    return taken != 0;
  }

  Result<void> tell_lonely() {
    for (const Lonely& lonely : gone_)
      if (auto told = tell_whole(before_, lonely, DifferenceKind::removed); !told) return told;
    for (const Lonely& lonely : come_)
      if (auto told = tell_whole(after_, lonely, DifferenceKind::added); !told) return told;
    return {};
  }

  /// An entry and, of a directory, all that is below it.
  Result<void> tell_whole(const ComparedTree& tree, const Lonely& lonely, DifferenceKind kind) {
    const std::string top = absolute(tree, lonely.path);
    auto walk = TreeWalk::start(tree.results, top, {.by_name = true});
    if (!walk) return tl::unexpected(walk.error());
    auto more = walk->next();
    for (; more && *more && go_on_; more = walk->next()) {
      const bool was_there = kind == DifferenceKind::removed;
      tell({kind, walk->path(), {}, was_there ? walk->entry() : EntryRef(), was_there ? EntryRef() : walk->entry(), {}});
    }
    return more ? Result<void>{} : tl::unexpected(more.error());
  }

  const ComparedTree &before_, &after_;
  const std::function<bool(const Difference&)>& tell_;
  bool go_on_ = true, same_inodes_ = false;
  std::uint64_t old_device_ = 0, new_device_ = 0;
  std::vector<Pair> waiting_;
  std::vector<Lonely> gone_, come_;
};

}  // namespace

Result<void> compare_trees(const ComparedTree& before, const ComparedTree& after,
                           const std::function<bool(const Difference&)>& tell) {
  return Comparison(before, after, tell).run();
}

}  // namespace pwalk::tools
