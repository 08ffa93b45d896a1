#include "inspect/reader.hpp"
#include "shmq/layout/words.hpp"
#include "shmq/base/fence.hpp"

namespace shmq::inspect {

using layout::EntryState;

namespace {

ObjectState state_of(std::uint64_t word) {
  switch (static_cast<EntryState>(layout::word_state(word))) {
    case EntryState::claimed:
      return ObjectState::claimed;
    case EntryState::creating:
      return ObjectState::creating;
    case EntryState::live:
      return ObjectState::live;
    case EntryState::removing:
      return ObjectState::removing;
    case EntryState::reclaiming:
      return ObjectState::reclaiming;
    default:
      return ObjectState::undefined;
  }
}

std::vector<std::uint32_t> users_of(const core::SegmentView& view, std::uint32_t entry) {
  std::vector<std::uint32_t> ids;
  for (std::uint32_t first = 0; first < view.geometry().rows; first += 64)
    for (std::uint64_t bits = view.users(entry, first).load(std::memory_order_acquire); bits != 0;
         bits &= bits - 1) {
      const std::uint32_t row = first + static_cast<std::uint32_t>(__builtin_ctzll(bits));
      if (row < view.geometry().rows) ids.push_back(row + 1);
    }
  return ids;
}

void read_one(const Source& source, std::uint32_t entry, std::uint64_t word,
              const std::vector<ParticipantSnapshot>& participants, ObjectSnapshot& object,
              Findings& findings) {
  const layout::DirectoryEntry& e = source.view.entry(entry);
  object.entry = entry;
  object.state = state_of(word);
  object.owner = layout::owner_of(word);
  object.users = users_of(source.view, entry);
  if (object.state == ObjectState::undefined) object.damaged = "its directory entry has an impossible state";
  // Until an object is live, its name and its place are still being written.
  if (object.state != ObjectState::claimed) object.name = e.name.get();
  if (object.state != ObjectState::live && object.state != ObjectState::removing) return;
  object.generation = e.generation.load(std::memory_order_relaxed);
  object.offset = e.offset.load(std::memory_order_relaxed);
  object.size_bytes = e.size_bytes.load(std::memory_order_relaxed);
  const std::uint64_t kind = e.kind.load(std::memory_order_relaxed);
  const bool mpmc = kind == static_cast<std::uint64_t>(layout::ObjectKind::mpmc_queue);
  const bool spsc = kind == static_cast<std::uint64_t>(layout::ObjectKind::spsc_queue);
  const bool tasks = kind == static_cast<std::uint64_t>(layout::ObjectKind::task_table);
  object.kind = mpmc ? "mpmc" : spsc ? "spsc" : tasks ? "tasks" : "unknown (" + std::to_string(kind) + ")";
  core::ObjectSpace space;
  if (!core::space_of(source.view, entry, space)) {
    object.damaged = "its directory entry names a place outside the object area";
    return;
  }
  if (mpmc) read_queue(source, space, participants, object, findings);
  if (spsc) read_spsc_queue(source, space, object, findings);
  if (tasks) read_task_table(source, space, object, findings);
}

}  // namespace

std::vector<ObjectSnapshot> read_objects(const Source& source,
                                         const std::vector<ParticipantSnapshot>& participants,
                                         Findings& findings) {
  std::vector<ObjectSnapshot> found;
  for (std::uint32_t entry = 0; entry < source.view.geometry().objects_max; ++entry) {
    // Nothing keeps an object where it is while we look: what was read counts if the entry did not change
    // meanwhile.
    for (int attempt = 0; attempt < 8; ++attempt) {
      const std::uint64_t word = source.view.entry(entry).word.load(std::memory_order_acquire);
      if (static_cast<EntryState>(layout::word_state(word)) == EntryState::free) break;
      ObjectSnapshot object;
      const std::size_t references_before = findings.references.size();
      const std::uint64_t slots_before = findings.slots_left;
      read_one(source, entry, word, participants, object, findings);
      base::fence(std::memory_order_acquire);
      if (source.view.entry(entry).word.load(std::memory_order_relaxed) == word) {
        found.push_back(std::move(object));
        break;
      }
      findings.references.resize(references_before);
      findings.slots_left = slots_before;
    }
  }
  return found;
}

}  // namespace shmq::inspect
