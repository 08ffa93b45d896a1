#include "key_memory.hpp"

#include "sim_hash.hpp"

namespace key_test {

namespace layout = shmq::layout;
using layout::TaskState;

std::uint64_t Listener::Memory::hash() const {
  std::uint64_t hash = sim::mix(sim::mix(control, word), pretended);
  hash = sim::mix(sim::mix(sim::mix(hash, late), late_was), cell);
  return sim::mix(hash, (late_cell == nullptr ? 9 : late_cell->index()) * 64 + since_control * 2 + word_read);
}

void Proxy::bind(Listener& listener, Role role, const char* label, unsigned index) {
  listener_ = &listener;
  role_ = role;
  index_ = index;
  word_.label(label, index);
}

std::uint64_t Proxy::load(std::memory_order order) const {
  Listener::Memory& me = listener_->mine();
  const Flaw flaw = listener_->flaw;
  switch (role_) {
    case Role::control: {
      const bool again = me.since_control != 0;
      me.since_control = 0;
      if (again && flaw == Flaw::help_at_first_look && layout::is_key_pending(me.control)) return me.control;
      if (again && flaw == Flaw::full_at_first_look && !layout::is_key_pending(me.control)) return me.control;
      me.control = word_.load(order);
      if (flaw == Flaw::pending_not_finished && me.control != me.pretended)
        return layout::key_settled(me.control);
      return me.control;
    }
    case Role::cell:
      ++me.since_control;
      return me.cell = word_.load(order);
    case Role::word: {
      // A judge reads the word, the id, and the word again.
      const bool again = me.word_read;
      me.word_read = false;
      if (again && flaw == Flaw::judge_at_first_look) return me.word;
      me.word = word_.load(order);
      if (flaw == Flaw::not_published && me.word == me.pretended)
        return layout::task_word(layout::word_epoch(me.word), TaskState::ready);
      return me.word;
    }
    case Role::id:
      me.word_read = true;
      if (flaw == Flaw::id_not_looked_at) return layout::key_cell_reference(me.cell);
      return word_.load(order);
    default:
      return word_.load(order);
  }
}

void Proxy::store(std::uint64_t value, std::memory_order order) {
  const std::uint64_t from = word_.peek();
  word_.store(value, order);
  listener_->changed(*this, from, value);
}

bool Proxy::swap(std::uint64_t& expected, std::uint64_t desired, std::memory_order success,
                 std::memory_order failure) {
  const std::uint64_t from = expected;
  if (!word_.compare_exchange_strong(expected, desired, success, failure)) return false;
  listener_->changed(*this, from, desired);
  return true;
}

bool Proxy::compare_exchange_strong(std::uint64_t& expected, std::uint64_t desired, std::memory_order success,
                                    std::memory_order failure) {
  Listener::Memory& me = listener_->mine();
  const Flaw flaw = listener_->flaw;
  me.word_read = false;
  if (role_ == Role::cell) {
    if (flaw == Flaw::cell_by_store) {
      const std::uint64_t from = word_.exchange(desired, success);
      listener_->changed(*this, from, desired);
      return true;
    }
    if (flaw == Flaw::control_before_cell) {
      me.late_cell = this, me.late_was = expected, me.late = desired;
      return true;
    }
  }
  if (role_ == Role::control) {
    const bool begins = layout::is_key_pending(desired);
    me.since_control = 0;
    if (flaw == Flaw::pending_not_finished && begins && layout::key_settled(me.control) == expected)
      expected = me.control;
    if (begins && flaw == Flaw::pending_not_finished) me.pretended = desired;
    if (flaw == Flaw::control_forgets && !begins) desired = 0;
    const bool swapped = swap(expected, desired, success, failure);
    if (begins && swapped) me.control = desired;
    if (Proxy* const cell = me.late_cell; cell != nullptr && !begins) {
      me.late_cell = nullptr;
      (void)cell->swap(me.late_was, me.late, success, failure);
    }
    return swapped;
  }
  // Somebody publishes what another one submits.
  if (role_ == Role::word && flaw == Flaw::not_published &&
      layout::task_state(expected) == TaskState::alloc && layout::task_state(desired) == TaskState::ready &&
      layout::owner_of(expected) != sim::World::current().running() + 1) {
    me.pretended = expected;
    return true;
  }
  return swap(expected, desired, success, failure);
}

KeyWords::KeyWords(Listener& listener, unsigned size) : cells(size) {
  control.bind(listener, Role::control, "control");
  for (unsigned i = 0; i < cells_max; ++i) cell[i].bind(listener, Role::cell, "cell", i);
  for (unsigned i = 0; i < records_max; ++i) {
    word[i].bind(listener, Role::word, "word", i);
    tally[i].bind(listener, Role::tally, "tally", i);
    id[i].bind(listener, Role::id, "id", i);
    key[i].bind(listener, Role::key, "key", i);
    payload[i].bind(listener, Role::payload, "payload", i);
  }
}

}  // namespace key_test
