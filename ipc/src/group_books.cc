#include "group_books.h"

#include <algorithm>

namespace pwalk::ipc {

GroupBooks::GroupBooks(const GroupMemory& memory, std::vector<std::uint64_t> start, Release release)
    : memory_(memory), release_(std::move(release)), floors_(std::move(start)), places_(floors_.size()) {
  for (std::uint32_t lane = 0; lane < floors_.size(); ++lane) memory_.lane(lane).begin_at(floors_[lane]);
}

void GroupBooks::open(std::uint32_t lane, std::uint64_t sequence, std::uint32_t unit, std::uint32_t rows) {
  memory_.lane(lane).open(sequence);
  places_[lane].push_back({.unit = unit, .rows = rows, .settled = false, .seen = {}, .since = {}});
}

GroupBooks::Place* GroupBooks::find(std::uint32_t lane, std::uint64_t sequence) {
  if (lane >= places_.size() || sequence < floors_[lane]) return nullptr;
  auto& places = places_[lane];
  const std::uint64_t index = sequence - floors_[lane];
  return index < places.size() && !places[index].settled ? &places[index] : nullptr;
}

template <class Each>
void GroupBooks::each_unsettled(Each&& each) {
  for (std::uint32_t lane = 0; lane < places_.size(); ++lane)
    for (std::size_t i = 0; i < places_[lane].size(); ++i)
      if (!places_[lane][i].settled) each(lane, floors_[lane] + i, places_[lane][i]);
}

template <class Each>
void GroupBooks::each_unsettled(Each&& each) const {
  for (std::uint32_t lane = 0; lane < places_.size(); ++lane)
    for (std::size_t i = 0; i < places_[lane].size(); ++i)
      if (!places_[lane][i].settled) each(lane, floors_[lane] + i, places_[lane][i]);
}

// ---- what members say -------------------------------------------------------

/// The return is a hint that the word is worth a look; the word says who is done.
void GroupBooks::returned(std::uint32_t member, std::uint32_t lane, std::uint64_t sequence) {
  if (find(lane, sequence)) {
    const LedgerEntry entry = memory_.lane(lane).look(sequence);
    if (entry.state == Claim::done && entry.member == member) {
      ++figures_.concluded;
      settle(lane, sequence);
      return move_floors();
    }
  }
  drop_reader({lane, sequence}, member);
}

bool GroupBooks::member_gone(std::uint32_t member, const GroupRules& rules) {
  bool offered = false;
  each_unsettled([&](std::uint32_t lane, std::uint64_t sequence, Place&) {
    const LedgerEntry entry = memory_.lane(lane).look(sequence);
    if (entry.member != member) return;  // another's return is on the way
    if (entry.state == Claim::done) {
      ++figures_.concluded;
      settle(lane, sequence);
    } else if (entry.state == Claim::owned) {
      offered |= take_back(lane, sequence, entry, rules);
    }
  });
  for (auto next = kept_.begin(); next != kept_.end();) {
    const Key key = (next++)->first;
    drop_reader(key, member);
  }
  move_floors();
  return offered;
}

GroupBooks::Sweep GroupBooks::sweep(Clock::time_point now, const GroupRules& rules, const Members& members) {
  Sweep result;
  each_unsettled([&](std::uint32_t lane, std::uint64_t sequence, Place& place) {
    const LedgerEntry entry = memory_.lane(lane).look(sequence);
    if (entry.state == Claim::poison) return settle(lane, sequence);  // not by us: scribbled
    if (entry.state == Claim::free) {
      result.unclaimed = true;
      return;
    }
    if (entry.state == Claim::done) {
      // Its return is on the way, unless nobody concluded it: scribbled.
      if (place.seen != entry) {
        place.seen = entry, place.since = now;
      } else if (now - place.since >= rules.lease) {
        // It may come yet, and must not be taken for that of an older claim.
        if (members.known(entry.member)) keep({lane, sequence}, place.unit, entry.member);
        settle(lane, sequence);
      }
      return;
    }
    // After the word: whoever claimed has said before that it sleeps no longer.
    const bool asking = members.known(entry.member) && members.asking(entry.member);
    result.owners.push_back(entry.member);
    if (asking || place.seen != entry) {
      // Who came back for more has not forgotten what it holds.
      place.seen = entry;
      place.since = now;
    } else if (now - place.since >= rules.lease) {
      if (members.known(entry.member)) keep({lane, sequence}, place.unit, entry.member);
      const bool free = take_back(lane, sequence, entry, rules);
      result.offered |= free;
      result.unclaimed |= free;
    }
  });
  std::sort(result.owners.begin(), result.owners.end());
  result.owners.erase(std::unique(result.owners.begin(), result.owners.end()), result.owners.end());
  move_floors();
  return result;
}

/// True: it can be claimed again.
bool GroupBooks::take_back(std::uint32_t lane, std::uint64_t sequence, const LedgerEntry& seen,
                           const GroupRules& rules) {
  const std::uint32_t most = rules.closed ? 0 : rules.attempts;
  if (!memory_.lane(lane).reclaim(seen, sequence, most)) {
    drop_reader({lane, sequence}, seen.member);  // concluded this moment; its return comes
    return false;
  }
  if (memory_.lane(lane).look(sequence).state == Claim::poison) {
    ++figures_.poisoned;
    figures_.poisoned_rows += find(lane, sequence)->rows;
    settle(lane, sequence);
    return false;
  }
  ++figures_.redelivered;
  return true;
}

void GroupBooks::withhold() {
  each_unsettled([&](std::uint32_t lane, std::uint64_t sequence, Place&) {
    if (memory_.lane(lane).withhold(sequence)) settle(lane, sequence);
  });
  move_floors();
}

// ---- settling ---------------------------------------------------------------

void GroupBooks::settle(std::uint32_t lane, std::uint64_t sequence) {
  Place& place = *find(lane, sequence);
  place.settled = true;
  if (!kept_.contains({lane, sequence})) release_(place.unit, sequence);
}

void GroupBooks::move_floors() {
  for (std::uint32_t lane = 0; lane < places_.size(); ++lane)
    for (; !places_[lane].empty() && places_[lane].front().settled; ++floors_[lane]) places_[lane].pop_front();
}

/// One return of the member is still to come; a member may have claimed a batch more than once.
void GroupBooks::keep(const Key& key, std::uint32_t unit, std::uint32_t member) {
  Kept& kept = kept_[key];
  kept.unit = unit;
  kept.readers.push_back(member);
}

/// The last reader gone, the batch is released if it is settled; if not, the books go on with it.
void GroupBooks::drop_reader(const Key& key, std::uint32_t member) {
  const auto kept = kept_.find(key);
  if (kept == kept_.end()) return;
  auto& readers = kept->second.readers;
  const auto reader = std::find(readers.begin(), readers.end(), member);
  if (reader == readers.end()) return;
  readers.erase(reader);
  if (!readers.empty()) return;
  const std::uint32_t unit = kept->second.unit;
  kept_.erase(kept);
  if (!find(key.first, key.second)) release_(unit, key.second);
}

// ---- what is shown ----------------------------------------------------------

bool GroupBooks::settled() const {
  return std::all_of(places_.begin(), places_.end(), [](const auto& places) { return places.empty(); });
}

std::vector<std::uint64_t> GroupBooks::claimed() const {
  std::vector<std::uint64_t> claimed;
  for (std::uint32_t lane = 0; lane < places_.size(); ++lane)
    claimed.push_back(std::clamp(memory_.lane(lane).front(), floors_[lane], floors_[lane] + places_[lane].size()));
  return claimed;
}

std::uint64_t GroupBooks::owned_by(std::uint32_t member) const {
  std::uint64_t owned = 0;
  each_unsettled([&](std::uint32_t lane, std::uint64_t sequence, const Place&) {
    const LedgerEntry entry = memory_.lane(lane).look(sequence);
    owned += entry.state == Claim::owned && entry.member == member;
  });
  return owned;
}

std::uint64_t GroupBooks::held_by(std::uint32_t member) const {
  std::uint64_t held = owned_by(member);
  for (const auto& [key, kept] : kept_)
    held += std::uint64_t(std::count(kept.readers.begin(), kept.readers.end(), member));
  return held;
}

}  // namespace pwalk::ipc
