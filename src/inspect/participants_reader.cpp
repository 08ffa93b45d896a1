#include "core/participants.hpp"
#include "inspect/reader.hpp"
#include "os/process.hpp"
#include "shmq/layout/words.hpp"

namespace shmq::inspect {

using layout::RowState;

namespace {

/// What take_row() writes: the row's own number, and the incarnation that goes with the epoch.
bool plausible(std::uint32_t index, std::uint64_t word) {
  return layout::word_state(word) <= static_cast<std::uint8_t>(RowState::swept) &&
         layout::owner_of(word) == index + 1 &&
         layout::word_incarnation(word) == (layout::word_epoch(word) & 0xff);
}

/// The lock first, then the row once more: it must still be the one whose lock we asked for.
ParticipantState state_of(const Source& source, std::uint32_t index, std::uint64_t& word) {
  for (int attempt = 0; attempt < 8; ++attempt) {
    if (core::row_state(word) == RowState::free)
      return ParticipantState::undefined;  // left meanwhile: the caller drops it
    if (!plausible(index, word)) return ParticipantState::undefined;
    if (source.lock == nullptr) return ParticipantState::unknown_copy;
    if (core::row_state(word) == RowState::swept) return ParticipantState::dead;
    switch (source.lock->state(index)) {
      case os::LockState::inaccessible:
        return ParticipantState::inaccessible;
      case os::LockState::held:
        return ParticipantState::alive;
      case os::LockState::not_held:
        break;
    }
    const std::uint64_t again = source.view.row(index).word.load(std::memory_order_acquire);
    if (again == word) return ParticipantState::dead;
    word = again;
  }
  return ParticipantState::alive;  // people come and go here: none of those we asked about is left to be dead
}

}  // namespace

std::vector<ParticipantSnapshot> read_participants(const Source& source) {
  std::vector<ParticipantSnapshot> found;
  const std::uint64_t our_namespace = os::pid_namespace();
  for (std::uint32_t index = 0; index < source.view.geometry().rows; ++index) {
    const layout::ParticipantRow& row = source.view.row(index);
    std::uint64_t word = row.word.load(std::memory_order_acquire);
    if (core::row_state(word) == RowState::free) continue;
    ParticipantSnapshot p;
    p.state = state_of(source, index, word);
    if (core::row_state(word) == RowState::free) continue;
    p.id = index + 1;
    p.incarnation = layout::word_incarnation(word);
    p.joining = core::row_state(word) == RowState::joining;
    p.swept = core::row_state(word) == RowState::swept;
    p.name = row.name.get();
    p.pid = row.pid;
    p.uid = row.uid;
    p.pid_namespace = row.pid_namespace;
    p.pid_is_ours = source.lock != nullptr && our_namespace != 0 && p.pid_namespace == our_namespace;
    p.start_time_ticks = row.start_time_ticks;
    p.attached_ns = row.attached_ns;
    p.sweeping = layout::owner_of(row.sweeping.load(std::memory_order_acquire));
    found.push_back(std::move(p));
  }
  return found;
}

}  // namespace shmq::inspect
