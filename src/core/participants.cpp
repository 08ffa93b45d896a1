#include "core/participants.hpp"

#include <unistd.h>

#include "os/process.hpp"
#include "shmq/base/clock.hpp"

namespace shmq::core {

using layout::RowState;

namespace {

void fill(layout::ParticipantRow& row, const AttachOptions& attach) {
  row.sweeping.store(0, std::memory_order_relaxed);
  row.start_time_ticks = os::start_time_ticks();
  row.pid_namespace = os::pid_namespace();
  row.attached_ns = base::realtime_ns();
  row.pid = static_cast<std::uint32_t>(::getpid());
  row.uid = static_cast<std::uint32_t>(::geteuid());
  row.name.set(attach.name.empty() ? os::program_name() : attach.name);
}

}  // namespace

std::uint64_t Participants::take_row(const AttachOptions& attach, std::uint32_t first,
                                     std::uint32_t end) const {
  for (std::uint32_t index = first; index < end; ++index) {
    const std::uint64_t word = view_.row(index).word.load(std::memory_order_acquire);
    if (row_state(word) != RowState::free || !lock_.try_lock(index)) continue;
    if (const std::uint64_t mine = occupy(index, word, attach); mine != 0) return mine;
  }
  return 0;
}

std::uint64_t Participants::take_over(const AttachOptions& attach, std::uint32_t index) const {
  const std::uint64_t word = view_.row(index).word.load(std::memory_order_seq_cst);
  if (!lock_.try_lock(index)) return 0;
  // From here on the row looks alive, so that no sweep of it begins; one that began before says so, and goes
  // first.
  if (watched(index, word, layout::kNobody)) {
    lock_.unlock(index);
    return 0;
  }
  return occupy(index, word, attach);
}

std::uint64_t Participants::occupy(std::uint32_t index, std::uint64_t word,
                                   const AttachOptions& attach) const {
  layout::ParticipantRow& row = view_.row(index);
  const std::uint64_t epoch = layout::epoch_add(layout::word_epoch(word), 1);
  const std::uint64_t mine = layout::owner_word(epoch, static_cast<std::uint32_t>(epoch & 0xff), index + 1,
                                                static_cast<std::uint8_t>(RowState::joining));
  if (!row.word.compare_exchange_strong(word, mine, std::memory_order_seq_cst)) {
    lock_.unlock(index);
    return 0;
  }
  fill(row, attach);
  const std::uint64_t alive = with_row_state(mine, RowState::alive);
  row.word.store(alive, std::memory_order_release);
  return alive;
}

Liveness Participants::liveness(std::uint32_t index, std::uint64_t word) const {
  const os::LockState lock = lock_.state(index);
  if (lock == os::LockState::inaccessible) return Liveness::inaccessible;
  if (lock == os::LockState::held) return Liveness::alive;
  // Nobody holds the lock. The row must still be the one we read: its owner may have left, and another have
  // come.
  return view_.row(index).word.load(std::memory_order_seq_cst) == word ? Liveness::dead : Liveness::alive;
}

bool Participants::watched(std::uint32_t index, std::uint64_t word, std::uint32_t me) const {
  const std::uint64_t swept_word = with_row_state(word, RowState::swept);
  for (std::uint32_t other = 0; other < view_.geometry().rows; ++other) {
    if (other == index || other + 1 == me) continue;
    const std::uint64_t by = view_.row(other).word.load(std::memory_order_seq_cst);
    if (row_state(by) != RowState::joining && row_state(by) != RowState::alive) continue;
    const std::uint64_t sweeping = view_.row(other).sweeping.load(std::memory_order_seq_cst);
    if (sweeping == 0 || with_row_state(sweeping, RowState::swept) != swept_word) continue;
    if (liveness(other, by) != Liveness::dead) return true;
  }
  return false;
}

void Participants::free_if_unwatched(std::uint32_t index, std::uint64_t swept_word, std::uint32_t me) const {
  if (watched(index, swept_word, me)) return;
  const std::uint64_t free = layout::owner_word(layout::epoch_add(layout::word_epoch(swept_word), 1), 0, 0,
                                                static_cast<std::uint8_t>(RowState::free));
  view_.row(index).word.compare_exchange_strong(swept_word, free, std::memory_order_seq_cst);
}

}  // namespace shmq::core
