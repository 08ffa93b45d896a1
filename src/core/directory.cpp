#include "core/directory.hpp"

#include <time.h>

#include "base/text.hpp"
#include "core/blocks.hpp"
#include "core/patience.hpp"
#include "core/space.hpp"
#include "shmq/base/clock.hpp"
#include "shmq/core/event.hpp"

namespace shmq::core {

using layout::EntryState;

namespace {

EntryState entry_state(std::uint64_t word) { return static_cast<EntryState>(layout::word_state(word)); }

std::uint64_t entry_word(std::uint64_t like, layout::Owner owner, EntryState state) {
  return layout::owner_word(layout::word_epoch(like), owner.incarnation, owner.id,
                            static_cast<std::uint8_t>(state));
}

bool name_counts(std::uint64_t word) {
  return entry_state(word) == EntryState::creating || entry_state(word) == EntryState::live;
}

bool initialised(std::uint64_t word) {
  return entry_state(word) == EntryState::live || entry_state(word) == EntryState::removing;
}

layout::ObjectKind kind_of(const SegmentView& view, std::uint32_t entry) {
  return static_cast<layout::ObjectKind>(view.entry(entry).kind.load(std::memory_order_relaxed));
}

void pause_a_little(int attempt) {
  // Two creators of one name step back from each other; unequal pauses let one of them through.
  timespec pause{0, 20'000 + (base::monotonic_ns() % 97) * 1'000 * (attempt + 1)};
  if (pause.tv_nsec > 5'000'000) pause.tv_nsec = 5'000'000;
  ::nanosleep(&pause, nullptr);
}

constexpr std::int64_t kCreatorPatienceNs = 5'000'000'000;

/// How often one look at all objects may come to the same bytes.
constexpr std::uint64_t kOverlapMax = 16;

}  // namespace

bool Directory::name_is(std::uint32_t entry, const std::string& name) const {
  return view_.entry(entry).name.get() == name;
}

Result<PinnedObject> Directory::open(const std::string& name, const char* what) {
  if (Status checked = base::check_name(name, base::kObjectNameMax, what); !checked) return checked.error();
  for (std::uint32_t i = 0; i < view_.geometry().objects_max; ++i) {
    const std::uint64_t word = view_.entry(i).word.load(std::memory_order_acquire);
    if (entry_state(word) != EntryState::live || !name_is(i, name)) continue;
    if (!attachment_.pin(i, word)) continue;  // removed meanwhile
    PinnedObject found;
    found.kind = kind_of(view_, i);
    if (space_of(view_, i, found.space)) return found;
    attachment_.unpin(i);
    return Error(ErrorCode::corrupt, std::string(what) + " \"" + name +
                                         "\" has a damaged directory entry: remove the segment \"" +
                                         attachment_.name() + "\" and create it again");
  }
  return Error(ErrorCode::not_found, "segment \"" + attachment_.name() + "\" has no " + what + " \"" + name +
                                         "\" (shmq-stat show " + attachment_.name() + " lists what it has)");
}

std::optional<std::uint64_t> Directory::another_has(const std::string& name, std::uint32_t mine) const {
  for (std::uint32_t i = 0; i < view_.geometry().objects_max; ++i) {
    const std::uint64_t word = view_.entry(i).word.load(std::memory_order_seq_cst);
    if (i != mine && name_counts(word) && name_is(i, name)) return word;
  }
  return std::nullopt;
}

/// An entry whose name counts and is nobody else's.
Result<std::uint32_t> Directory::claim_entry(const std::string& name, const char* what) {
  const std::int64_t give_up_ns = base::monotonic_ns() + kCreatorPatienceNs;
  for (int attempt = 0;; ++attempt) {
    std::uint32_t entry = 0;
    for (; entry < view_.geometry().objects_max; ++entry) {
      std::uint64_t word = view_.entry(entry).word.load(std::memory_order_acquire);
      if (entry_state(word) == EntryState::free &&
          view_.entry(entry).word.compare_exchange_strong(
              word, entry_word(word, attachment_.me(), EntryState::claimed)))
        break;
    }
    if (entry == view_.geometry().objects_max)
      return Error(ErrorCode::no_space,
                   "segment \"" + attachment_.name() + "\" has " + std::to_string(entry) +
                       " objects, as many as it can hold; create it with a larger objects_max (shmq create --objects)");
    layout::DirectoryEntry& mine = view_.entry(entry);
    mine.name.set(name);
    const std::uint64_t word = mine.word.load(std::memory_order_relaxed);
    mine.word.store(entry_word(word, attachment_.me(), EntryState::creating), std::memory_order_seq_cst);
    const std::optional<std::uint64_t> other = another_has(name, entry);
    if (!other) return entry;
    abandon(entry);
    // Somebody who is not there will never get on, and no sweep clears away what is not theirs.
    if (entry_state(*other) == EntryState::creating &&
        (layout::owner_of(*other) == layout::kNobody || layout::owner_of(*other) > view_.geometry().rows))
      return Error(ErrorCode::corrupt, std::string(what) + " \"" + name + "\" is being created by participant " +
                                           std::to_string(layout::owner_of(*other)) +
                                           ", which there cannot be: the directory is damaged; remove the segment \"" +
                                           attachment_.name() + "\" and create it again");

    (void)attachment_.reap();  // the other may be dead
    if (Result<PinnedObject> live = open(name, what); live) {
      attachment_.unpin(live->space.entry);
      return Error(ErrorCode::already_exists,
                   std::string(what) + " \"" + name + "\" exists in segment \"" + attachment_.name() + "\"");
    }
    if (base::monotonic_ns() > give_up_ns)
      return Error(ErrorCode::busy, std::string(what) + " \"" + name +
                                        "\" is being created by another process, which is alive and does "
                                        "not get on (stopped?): see shmq-stat show " +
                                        attachment_.name());
    pause_a_little(attempt);
  }
}

Result<PinnedObject> Directory::create(const NewObject& object, const char* what) {
  Result<PinnedObject> made = create_once(object, what);
  if (made || made.error().code() != ErrorCode::no_space) return made;
  (void)attachment_.reap();  // what is missing may be what the dead left
  return create_once(object, what);
}

Result<PinnedObject> Directory::create_once(const NewObject& object, const char* what) {
  if (Status checked = base::check_name(object.name, base::kObjectNameMax, what); !checked)
    return checked.error();
  const Result<std::uint32_t> claimed = claim_entry(object.name, what);
  if (!claimed) return claimed.error();
  layout::DirectoryEntry& entry = view_.entry(*claimed);
  const std::uint64_t creating = entry.word.load(std::memory_order_relaxed);
  const std::optional<std::uint64_t> offset =
      take_space(view_, object.size_bytes, layout::word_epoch(creating), *claimed);
  if (!offset) {
    abandon(*claimed);
    const SpaceUse use = space_use(view_);
    return Error(ErrorCode::no_space, std::string(what) + " \"" + object.name + "\" needs " +
                                          base::size_text(object.size_bytes) + ", segment \"" +
                                          attachment_.name() + "\" has " + base::size_text(use.free_bytes) +
                                          " free for objects (" + base::size_text(use.largest_run_bytes) +
                                          " in one piece): create the segment larger, or with fewer blocks");
  }
  PinnedObject made;
  made.kind = object.kind;
  made.space = {*claimed, view_.header().next_generation.fetch_add(1), *offset, object.size_bytes};
  entry.generation.store(made.space.generation, std::memory_order_relaxed);
  entry.offset.store(made.space.offset, std::memory_order_relaxed);
  entry.size_bytes.store(made.space.size_bytes, std::memory_order_relaxed);
  entry.kind.store(static_cast<std::uint64_t>(object.kind), std::memory_order_relaxed);
  object.initialise(made.space);
  const std::uint64_t live = entry_word(creating, {}, EntryState::live);
  entry.word.store(live, std::memory_order_seq_cst);
  // A remover may be faster than the creator's own pin.
  if (!attachment_.pin(*claimed, live))
    return Error(ErrorCode::removed,
                 std::string(what) + " \"" + object.name + "\" was removed as soon as it was created");
  return made;
}

Status Directory::remove(const std::string& name, const char* what, bool tables) {
  Result<PinnedObject> found = open(name, what);
  if (!found) return found.error();
  const std::uint32_t index = found->space.entry;
  if ((found->kind == layout::ObjectKind::task_table) != tables) {
    attachment_.unpin(index);
    return Error(ErrorCode::different, "\"" + name + "\" is a " + (tables ? "queue" : "task table") + ", not a " + what +
                                           ": it was not removed");
  }
  std::uint64_t word = view_.entry(index).word.load(std::memory_order_acquire);
  const bool mine =
      entry_state(word) == EntryState::live &&
      view_.entry(index).word.compare_exchange_strong(word, entry_word(word, {}, EntryState::removing));
  if (const ObjectKindOperations* operations = operations_of(found->kind))
    operations->mark_removed(view_, found->space);
  attachment_.unpin(index);
  if (!mine)
    return Error(ErrorCode::not_found,
                 std::string(what) + " \"" + name + "\" was removed by another process meanwhile");
  return Done{};
}

void Directory::abandon(std::uint32_t entry) {
  const std::uint64_t word = view_.entry(entry).word.load(std::memory_order_relaxed);
  reclaim(entry, word);
}

bool Directory::unused(std::uint32_t entry) const {
  for (std::uint32_t w = 0; w < view_.user_words(); ++w)
    if (view_.users(entry, w * 64).load(std::memory_order_seq_cst) != 0) return false;
  return true;
}

void Directory::reclaim_if_unused(std::uint32_t entry) {
  for (std::uint32_t look = 0; look < kLooksMax; ++look) {
    std::uint64_t word = view_.entry(entry).word.load(std::memory_order_seq_cst);
    if (entry_state(word) != EntryState::removing || !unused(entry)) return;
    const std::uint64_t mine = entry_word(word, attachment_.me(), EntryState::reclaiming);
    if (!view_.entry(entry).word.compare_exchange_strong(word, mine)) return;
    if (reclaim_or_step_back(entry, mine)) return;
  }
}

bool Directory::reclaim_of_dead(std::uint32_t entry, std::uint32_t dead) {
  std::uint64_t word = view_.entry(entry).word.load(std::memory_order_acquire);
  const EntryState state = entry_state(word);
  if (layout::owner_of(word) != dead) return false;
  const bool half_made = state == EntryState::claimed || state == EntryState::creating;
  if (!half_made && state != EntryState::reclaiming) return false;
  const std::uint64_t mine =
      entry_word(word, attachment_.me(), half_made ? EntryState::claimed : EntryState::reclaiming);
  if (!view_.entry(entry).word.compare_exchange_strong(word, mine)) return false;
  if (half_made)
    reclaim(entry, mine);
  else if (!reclaim_or_step_back(entry, mine))
    reclaim_if_unused(entry);
  return true;
}

/// With the entry out of REMOVING nobody can pin it any more; only now does "unused" hold for good. Where
/// somebody pinned it before that (a sweep or a scan does), it goes back, and false is returned: the caller
/// looks once more, since the one who unpinned while it was RECLAIMING has left it to us.
bool Directory::reclaim_or_step_back(std::uint32_t entry, std::uint64_t reclaiming_word) {
  if (unused(entry)) {
    reclaim(entry, reclaiming_word);
    return true;
  }
  view_.entry(entry).word.store(entry_word(reclaiming_word, {}, EntryState::removing),
                                std::memory_order_seq_cst);
  return false;
}

/// The caller owns the entry by its word. Every step may be repeated by the next owner after a kill.
void Directory::reclaim(std::uint32_t entry, std::uint64_t reclaiming_word) {
  ObjectSpace space;
  if (entry_state(reclaiming_word) == EntryState::reclaiming) {
    if (space_of(view_, entry, space)) free_blocks(space, kind_of(view_, entry));
    // From here on there is no way back to REMOVING, for the next owner neither: part of the space may be
    // another's.
    view_.entry(entry).word.store(entry_word(reclaiming_word, attachment_.me(), EntryState::claimed),
                                  std::memory_order_seq_cst);
  }
  give_back_space(view_, layout::word_epoch(reclaiming_word), entry);
  const std::uint64_t free = layout::owner_word(layout::epoch_add(layout::word_epoch(reclaiming_word), 1), 0,
                                                0, static_cast<std::uint8_t>(EntryState::free));
  view_.entry(entry).word.store(free, std::memory_order_seq_cst);
}

void Directory::free_blocks(const ObjectSpace& space, layout::ObjectKind kind) {
  const ObjectKindOperations* operations = operations_of(kind);
  if (operations == nullptr) return;
  References references;
  operations->references(view_, space, references);
  for (const std::uint64_t reference : references) free_referenced(view_, reference);
  if (!references.empty()) notify(view_.header().blocks_event);
}

bool Directory::is_being_removed(std::uint32_t entry) const {
  return entry_state(view_.entry(entry).word.load(std::memory_order_acquire)) == EntryState::removing;
}

void Directory::for_each(const std::function<void(const ObjectSpace&, layout::ObjectKind)>& visit) {
  // Objects do not overlap; ones that were made while we looked may lie where earlier ones did. A damaged
  // directory in which a thousand entries name one large object costs no more than that.
  const Geometry& g = view_.geometry();
  std::uint64_t bytes_left = kOverlapMax * (g.size_bytes - g.objects_offset);
  for (std::uint32_t i = 0; i < view_.geometry().objects_max; ++i) {
    // An object that goes from LIVE to REMOVING while we pin it is still an object: none may be missed here.
    std::uint64_t word = view_.entry(i).word.load(std::memory_order_acquire);
    bool pinned = false;
    for (std::uint32_t look = 0; look < kLooksMax && initialised(word); ++look) {
      pinned = attachment_.pin(i, word);
      if (pinned) break;
      word = view_.entry(i).word.load(std::memory_order_acquire);
    }
    if (!pinned) continue;
    ObjectSpace space;
    if (space_of(view_, i, space) && space.size_bytes <= bytes_left) {
      bytes_left -= space.size_bytes;
      visit(space, kind_of(view_, i));
    }
    attachment_.unpin(i);
  }
}

bool space_of(const SegmentView& view, std::uint32_t entry, ObjectSpace& space) {
  const layout::DirectoryEntry& e = view.entry(entry);
  space = {entry, e.generation.load(std::memory_order_relaxed), e.offset.load(std::memory_order_relaxed),
           e.size_bytes.load(std::memory_order_relaxed)};
  const Geometry& g = view.geometry();
  return space.offset >= g.objects_offset && space.offset < g.size_bytes &&
         space.offset % layout::kUnitBytes == 0 && space.size_bytes <= g.size_bytes - space.offset;
}

void mark_objects_removed(const SegmentView& view) {
  for (std::uint32_t i = 0; i < view.geometry().objects_max; ++i) {
    ObjectSpace space;
    if (!initialised(view.entry(i).word.load(std::memory_order_acquire)) || !space_of(view, i, space))
      continue;
    if (const ObjectKindOperations* operations = operations_of(kind_of(view, i)))
      operations->mark_removed(view, space);
  }
  notify_everyone(view.header().blocks_event);
}

}  // namespace shmq::core
