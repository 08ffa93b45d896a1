// The objects of a segment: found, created and removed by name while others use it.
//
// An entry's word says what it is and, while somebody works on it, who. Its life: FREE → CLAIMED(me): the
// name is being written → CREATING(me): the name counts → LIVE → REMOVING: the name is free, users still have
// its space → RECLAIMING(me): nobody can pin it any more; back to REMOVING where somebody had → CLAIMED(me): its
// space is given back → FREE of the next epoch.
//
// A name is unique although it takes two words to say so: a creator first makes its name count, then looks
// for another entry of that name. Of two who do this at once at least one sees the other, and whoever sees
// another steps back.
//
// Space is given back only when no participant's bit is set in the entry's user bitmap. A user sets its bit
// and then looks whether the entry's word is unchanged; a remover leaves LIVE, and a reclaimer leaves
// REMOVING, and then looks at the bits; all sequentially consistent, so that one of them sees the other.
//
// A kill leaves an entry that names the dead (the reaper reclaims it), or REMOVING with no users (the next
// sweep does).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/object_kinds.hpp"
#include "shmq/core/attachment.hpp"
#include "shmq/result.hpp"

namespace shmq::core {

/// An object that was found and pinned: its space stays until unpin(entry).
struct PinnedObject {
  ObjectSpace space;
  layout::ObjectKind kind = layout::ObjectKind::none;
};

struct NewObject {
  std::string name;
  layout::ObjectKind kind = layout::ObjectKind::none;
  std::uint64_t size_bytes = 0;
  /// Writes every byte of the object; nobody sees it before it has returned.
  std::function<void(const ObjectSpace&)> initialise;
};

class Directory {
 public:
  explicit Directory(Attachment& attachment) : attachment_(attachment), view_(attachment.view()) {}

  /// Finds and pins a live object; not_found.
  Result<PinnedObject> open(const std::string& name, const char* what);
  /// Creates and pins; already_exists where the name is taken, also by one who was a moment faster.
  Result<PinnedObject> create(const NewObject& object, const char* what);
  /// The name is free when this returns; users see `removed`.
  /// `different`: it is a task table and `tables` is not set, or the other way round.
  Status remove(const std::string& name, const char* what, bool tables = false);

  /// Gives back the space of an entry that is being removed, once nobody uses it.
  void reclaim_if_unused(std::uint32_t entry);
  /// Clears away what a dead creator or reclaimer left in this entry; returns whether there was something.
  bool reclaim_of_dead(std::uint32_t entry, std::uint32_t dead);

  bool is_being_removed(std::uint32_t entry) const;

  /// Calls `visit(space, kind)` for every initialised object, each pinned meanwhile.
  void for_each(const std::function<void(const ObjectSpace&, layout::ObjectKind)>& visit);

 private:
  Result<PinnedObject> create_once(const NewObject& object, const char* what);
  bool name_is(std::uint32_t entry, const std::string& name) const;
  /// The word of another entry whose name counts and is this one.
  std::optional<std::uint64_t> another_has(const std::string& name, std::uint32_t mine) const;
  Result<std::uint32_t> claim_entry(const std::string& name, const char* what);
  void abandon(std::uint32_t entry);
  bool unused(std::uint32_t entry) const;
  bool reclaim_or_step_back(std::uint32_t entry, std::uint64_t reclaiming_word);
  void reclaim(std::uint32_t entry, std::uint64_t reclaiming_word);
  void free_blocks(const ObjectSpace& space, layout::ObjectKind kind);

  Attachment& attachment_;
  const SegmentView& view_;
};

}  // namespace shmq::core
