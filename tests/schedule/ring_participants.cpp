#include "ring_participants.hpp"

namespace ring_test {

namespace layout = shmq::layout;

Participants::Participants(unsigned rows, unsigned attached, Mutation mutation)
    : rows_(rows), mutation_(mutation) {
  for (unsigned i = 0; i < rows_; ++i) {
    const bool taken = i < attached;
    word_[i].store(taken ? layout::owner_word(1, 1, i + 1, static_cast<std::uint8_t>(RowState::alive)) : 0);
    lock_[i].store(taken ? i + 1 : 0);
    word_[i].label("row", i);
    sweeping_[i].label("sweeping", i);
    lock_[i].label("lock", i);
  }
}

layout::Owner Participants::owner(unsigned index) const {
  const std::uint64_t word = word_[index].peek();
  return {index + 1, layout::word_incarnation(word)};
}

bool Participants::seems_alive(unsigned index) const {
  const std::uint64_t holder = lock_[index].peek();
  return holder != 0 && !sim::crashed_now(static_cast<unsigned>(holder - 1));
}

bool Participants::lock_held(unsigned index) {
  const std::uint64_t holder = lock_[index].load(std::memory_order_seq_cst);
  return holder != 0 && !sim::dead(static_cast<unsigned>(holder - 1));
}

bool Participants::try_lock(unsigned index) {
  std::uint64_t holder = lock_[index].load(std::memory_order_seq_cst);
  if (holder != 0 && !sim::dead(static_cast<unsigned>(holder - 1))) return false;
  const std::uint64_t me = sim::World::current().running() + 1;
  return lock_[index].compare_exchange_strong(holder, me, std::memory_order_seq_cst);
}

bool Participants::try_attach(unsigned index, layout::Owner& me) {
  std::uint64_t word = word_[index].load(std::memory_order_acquire);
  if (state_of(word) != RowState::free) return false;
  const bool lock_first = mutation_ != Mutation::lock_after_row;
  if (lock_first && !try_lock(index)) return false;
  const std::uint64_t epoch = layout::epoch_add(layout::word_epoch(word), 1);
  const auto incarnation = static_cast<std::uint32_t>(epoch & 0xff);
  const std::uint64_t joining =
      layout::owner_word(epoch, incarnation, index + 1, static_cast<std::uint8_t>(RowState::joining));
  if (!word_[index].compare_exchange_strong(word, joining, std::memory_order_acq_rel)) {
    if (lock_first) lock_[index].store(0, std::memory_order_seq_cst);
    return false;
  }
  sweeping_[index].store(0, std::memory_order_relaxed);
  word_[index].store(with_state(joining, RowState::alive), std::memory_order_release);
  if (!lock_first && !try_lock(index)) return false;
  me = {index + 1, incarnation};
  return true;
}

bool Participants::is_dead(unsigned index, std::uint64_t word) {
  if (lock_held(index)) return false;
  return word_[index].load(std::memory_order_seq_cst) == word;
}

// True if the row is free now, and was not before.
bool Participants::free_row(unsigned index, std::uint64_t swept, unsigned mine) {
  for (unsigned other = 0; other < rows_ && mutation_ != Mutation::id_freed_while_swept; ++other) {
    if (other == index || other == mine) continue;
    const std::uint64_t word = word_[other].load(std::memory_order_seq_cst);
    if (state_of(word) != RowState::joining && state_of(word) != RowState::alive) continue;
    const std::uint64_t sweeping = sweeping_[other].load(std::memory_order_seq_cst);
    if (sweeping == 0 || with_state(sweeping, RowState::swept) != swept) continue;
    if (!is_dead(other, word)) return false;
  }
  const std::uint64_t free = layout::owner_word(layout::epoch_add(layout::word_epoch(swept), 1), 0, 0, 0);
  return word_[index].compare_exchange_strong(swept, free, std::memory_order_seq_cst);
}

}  // namespace ring_test
