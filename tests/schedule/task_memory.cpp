#include "task_memory.hpp"

#include "sim_hash.hpp"

namespace task_test {

namespace layout = shmq::layout;
using layout::TaskState;

namespace {
bool is_full(std::uint64_t cell) { return static_cast<std::uint32_t>(cell) != 0; }
std::uint32_t lap_of(std::uint64_t cell) { return static_cast<std::uint32_t>(cell >> 32); }
std::uint64_t with_epoch(std::uint64_t word, std::uint64_t epoch) { return epoch << 24 | (word & 0xff'ffff); }
}  // namespace

std::uint64_t Listener::Memory::hash() const {
  std::uint64_t hash = sim::mix(head, tail);
  hash = sim::mix(sim::mix(hash, cell), value);
  hash = sim::mix(sim::mix(hash, late), late_tally == nullptr ? 9 : late_tally->index());
  return sim::mix(hash, static_cast<std::uint64_t>(last) * 8 + pops * 4 + filled * 2 + uncounted);
}

void Proxy::bind(Listener& listener, Role role, const char* label, unsigned object, unsigned index,
                 Proxy* tail, unsigned log2) {
  listener_ = &listener;
  role_ = role;
  object_ = object;
  index_ = index;
  tail_ = tail;
  log2_ = log2;
  word_.label(label, object * 10 + index);
}

std::uint64_t Proxy::load(std::memory_order order) const {
  Listener::Memory& me = listener_->mine();
  const Role before = me.last;
  me.last = role_;
  const auto lap_at = [&](std::uint64_t position) { return static_cast<std::uint32_t>(position >> log2_); };
  switch (role_) {
    case Role::head:
      if (listener_->flaw == Flaw::empty_at_first_look && before == Role::cell && me.pops &&
          me.cell == Ring::empty(lap_at(me.head)))
        return me.head;
      me.pops = true;
      return me.head = word_.load(order);
    case Role::tail:
      if (listener_->flaw == Flaw::full_at_first_look && before == Role::cell && !me.pops &&
          is_full(me.cell) && lap_of(me.cell) == lap_at(me.tail) - 1)
        return me.tail;
      me.pops = false;
      return me.tail = word_.load(order);
    case Role::cell:
      me.filled = false;
      return me.cell = word_.load(order);
    case Role::word:
      if (listener_->flaw == Flaw::count_at_first_look && before == Role::tally) return me.value;
      return me.value = word_.load(order);
    case Role::tally:
      if (me.uncounted) return layout::tally_word(layout::word_epoch(me.value), {});
      return word_.load(order);
    default:
      return word_.load(order);
  }
}

void Proxy::store(std::uint64_t value, std::memory_order order) {
  Listener::Memory& me = listener_->mine();
  me.last = role_;
  if (listener_->flaw == Flaw::loss_not_noted && role_ == Role::lost && value != 0) return;
  if (listener_->flaw == Flaw::clear_after_publish && role_ == Role::tally && me.late_tally == nullptr) {
    me.late_tally = this, me.late = value;
    return;
  }
  const std::uint64_t from = word_.peek();
  word_.store(value, order);
  listener_->changed(*this, from, value);
}

bool Proxy::swap(std::uint64_t& expected, std::uint64_t desired, std::memory_order success,
                 std::memory_order failure) {
  const std::uint64_t from = expected;
  if (!word_.compare_exchange_strong(expected, desired, success, failure)) return false;
  if (role_ == Role::word) listener_->mine().value = desired;
  listener_->changed(*this, from, desired);
  return true;
}

bool Proxy::overwrite(std::uint64_t value, std::memory_order order) {
  const std::uint64_t from = word_.exchange(value, order);  // for the oracle; a store to everybody else
  if (role_ == Role::word) listener_->mine().value = value;
  listener_->changed(*this, from, value);
  return true;
}

bool Proxy::compare_exchange_strong(std::uint64_t& expected, std::uint64_t desired, std::memory_order success,
                                    std::memory_order failure) {
  Listener::Memory& me = listener_->mine();
  const Flaw flaw = listener_->flaw;
  me.last = role_;
  switch (role_) {
    case Role::cell:
      me.filled = true;
      if (flaw == Flaw::tail_before_cell && is_full(desired)) {
        std::uint64_t tail = me.tail;
        (void)tail_->swap(tail, tail + 1, success, failure);
      }
      if ((flaw == Flaw::popped_by_store && !is_full(desired)) ||
          (flaw == Flaw::pushed_by_store && is_full(desired)))
        return overwrite(desired, success);
      break;
    case Role::tail:
      if (flaw == Flaw::pop_leaves_tail && me.pops) return true;
      if (flaw == Flaw::tail_not_helped && !me.pops && !me.filled) return true;
      if (flaw == Flaw::popped_not_stepped_over && !me.pops && !me.filled && !is_full(me.cell)) return true;
      break;
    case Role::head:
      if (flaw == Flaw::head_not_helped && !me.filled) return true;
      break;
    case Role::word: {
      const TaskState from = layout::task_state(expected), to = layout::task_state(desired);
      if (flaw == Flaw::settle_by_store && from == TaskState::running) return overwrite(desired, success);
      if (flaw == Flaw::start_by_store && to == TaskState::running) return overwrite(desired, success);
      const bool keeps =
          (flaw == Flaw::unclaim_keeps_epoch && from == TaskState::claimed && to == TaskState::ready) ||
          (flaw == Flaw::steal_keeps_epoch && from == TaskState::claimed && to == TaskState::claimed) ||
          (flaw == Flaw::revive_keeps_epoch && from == TaskState::dead && to == TaskState::ready);
      if (keeps) desired = with_epoch(desired, layout::word_epoch(expected));
      const bool swapped = swap(expected, desired, success, failure);
      if (me.late_tally != nullptr) {
        Proxy* const tally = me.late_tally;
        tally->store(me.late, std::memory_order_relaxed);
        me.late_tally = nullptr;
      }
      return swapped;
    }
    case Role::tally:
      if (flaw == Flaw::count_by_store) return overwrite(desired, success);
      break;
    default:
      break;
  }
  return swap(expected, desired, success, failure);
}

RingWords::RingWords(Listener& listener, unsigned object, unsigned size_log2, std::uint64_t start)
    : log2(size_log2) {
  head.bind(listener, Role::head, "head", object, 0, nullptr, log2);
  tail.bind(listener, Role::tail, "tail", object, 0, nullptr, log2);
  head.set(start), tail.set(start);
  for (unsigned i = 0; i < cells_max; ++i) cell[i].bind(listener, Role::cell, "cell", object, i, &tail, log2);
  for (std::uint64_t i = 0; i < std::uint64_t{1} << log2; ++i) {
    const std::uint64_t position = start + i;
    cell[position & ((1u << log2) - 1)].set(Ring::empty(static_cast<std::uint32_t>(position >> log2)));
  }
}

unsigned RingWords::hints() const {
  unsigned n = 0;
  for (unsigned i = 0; i < 1u << log2; ++i) n += is_full(cell[i].peek());
  return n;
}
bool RingWords::names(std::uint32_t index) const {
  for (unsigned i = 0; i < 1u << log2; ++i)
    if (static_cast<std::uint32_t>(cell[i].peek()) == index + 1) return true;
  return false;
}

RecordWords::RecordWords(Listener& listener) {
  for (unsigned i = 0; i < records_max; ++i) {
    word[i].bind(listener, Role::word, "word", 0, i);
    tally[i].bind(listener, Role::tally, "tally", 0, i);
    id[i].bind(listener, Role::id, "id", 0, i);
  }
  lost.bind(listener, Role::lost, "hints lost", 0);
}

}  // namespace task_test
