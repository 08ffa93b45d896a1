#include "ring_memory.hpp"

namespace ring_test {

namespace layout = shmq::layout;

namespace {
unsigned actor() { return sim::World::current().running(); }
bool is_trail(Role role) { return role == Role::producer_trail || role == Role::consumer_trail; }
bool is_end(Role role) { return role == Role::tail || role == Role::head; }
}  // namespace

// As objects/queue_object.cpp initialises them.
Words::Words(unsigned log2, std::uint64_t start, std::uint64_t trail_age) : capacity_log2(log2) {
  tail.store(layout::ring_word(start, layout::kNobody));
  head.store(layout::ring_word(start, layout::kNobody));
  const shmq::core::MpmcRing<PlainMemory> ring(PlainMemory(this, Mutation::none));
  for (unsigned i = 0; i < capacity(); ++i) {
    const std::uint64_t position = layout::position_add(start, i);
    const std::uint64_t before = layout::position_sub(position, trail_age);
    const auto index = static_cast<unsigned>(ring.index_of(position));
    const std::uint64_t nobodys = layout::ring_word(layout::position_add(before, 1), layout::kNobody);
    slots[index].store(ring.free_word(position));
    producer_trail[index].store(nobodys);
    consumer_trail[index].store(nobodys);
  }
  for (unsigned i = 0; i < capacity(); ++i) {
    slots[i].label("slot", i);
    producer_trail[i].label("producer trail", i);
    consumer_trail[i].label("consumer trail", i);
    payload[i].label("payload", i);
  }
}

Breakage::Breakage(Words& words_behind, Mutation mutation_on) : words(words_behind), mutation(mutation_on) {
  tail.bind(*this, words.tail, Role::tail, 0);
  head.bind(*this, words.head, Role::head, 0);
  redeliveries.bind(*this, words.redeliveries, Role::redeliveries, 0);
  for (unsigned i = 0; i < words.capacity(); ++i) {
    producer_trail[i].bind(*this, words.producer_trail[i], Role::producer_trail, i);
    consumer_trail[i].bind(*this, words.consumer_trail[i], Role::consumer_trail, i);
    slots[i].bind(*this, words.slots[i], Role::slot, i);
  }
}

void BreakableWord::bind(Breakage& breakage, Word& word, Role role, unsigned index) {
  breakage_ = &breakage;
  word_ = &word;
  role_ = role;
  index_ = index;
}

std::uint64_t BreakableWord::load(std::memory_order order) const {
  const Mutation mutation = breakage_->mutation;
  Words& words = breakage_->words;
  const bool sweeping = words.sweeping[actor()];
  if (mutation == Mutation::relaxed_slot_load && role_ == Role::slot) order = std::memory_order_relaxed;
  if (mutation == Mutation::relaxed_end_load && is_end(role_)) order = std::memory_order_relaxed;
  if (mutation == Mutation::trail_before_tail && sweeping) {
    if (is_end(role_)) {
      auto& early = role_ == Role::tail ? breakage_->early_producer_trail[actor()]
                                        : breakage_->early_consumer_trail[actor()];
      auto& trail = role_ == Role::tail ? words.producer_trail : words.consumer_trail;
      for (unsigned i = 0; i < words.capacity(); ++i) early[i] = trail[i].load(std::memory_order_acquire);
    } else if (role_ == Role::producer_trail) {
      return breakage_->early_producer_trail[actor()][index_];
    } else if (role_ == Role::consumer_trail) {
      return breakage_->early_consumer_trail[actor()][index_];
    }
  }
  const std::uint64_t value = word_->load(order);
  if (mutation != Mutation::closed_apart || role_ != Role::tail) return value;
  return value | words.closed_apart.load(std::memory_order_acquire);
}

void BreakableWord::store(std::uint64_t value, std::memory_order order) {
  const layout::SlotState state = layout::slot_state(value);
  Breakage::LateNote& late = breakage_->late_note[actor()];
  if (late.cell != nullptr) {
    late.cell->compare_exchange_strong(late.expected, late.desired, std::memory_order_release,
                                       std::memory_order_relaxed);
    late.cell = nullptr;
  }
  if (breakage_->mutation == Mutation::relaxed_publish && state == layout::SlotState::ready)
    order = std::memory_order_relaxed;
  if (breakage_->mutation == Mutation::count_apart && state == layout::SlotState::redeliver)
    value = layout::slot_word(layout::slot_lap(value), layout::SlotState::redeliver, 0);
  word_->store(value, order);
}

bool BreakableWord::compare_exchange_strong(std::uint64_t& expected, std::uint64_t desired,
                                            std::memory_order success, std::memory_order failure) {
  if (role_ == Role::slot && breakage_->words.sweeping[actor()])
    return swept_exchange(expected, desired, success, failure);
  Breakage::LateNote& late = breakage_->late_note[actor()];
  if (breakage_->mutation == Mutation::note_after_claim && is_trail(role_)) {
    late = {word_, expected, desired};
    return true;
  }
  const bool won = word_->compare_exchange_strong(expected, desired, success, failure);
  if (is_end(role_) && !won) late.cell = nullptr;
  return won || (breakage_->mutation == Mutation::note_gives_up && is_trail(role_));
}

bool BreakableWord::swept_exchange(std::uint64_t& expected, std::uint64_t desired, std::memory_order success,
                                   std::memory_order failure) {
  const layout::SlotState from = layout::slot_state(expected);
  const layout::SlotState to = layout::slot_state(desired);
  switch (breakage_->mutation) {
    case Mutation::claim_unrepaired:
      if (from == layout::SlotState::free) return false;
      break;
    case Mutation::ready_unrepaired:
      if (from == layout::SlotState::ready) return false;
      break;
    case Mutation::tomb_unrepaired:
      if (from == layout::SlotState::tomb) return false;
      break;
    case Mutation::reading_unrepaired:
      if (from == layout::SlotState::reading) return false;
      break;
    case Mutation::tomb_by_store:
      if (to != layout::SlotState::tomb) break;
      if (word_->load(std::memory_order_acquire) != expected) return false;
      word_->store(desired, std::memory_order_release);
      return true;
    case Mutation::redelivered_by_store:
      if (to != layout::SlotState::redeliver) break;
      word_->store(desired, std::memory_order_release);
      return true;
    case Mutation::count_apart:
      if (to == layout::SlotState::redeliver)
        desired = layout::slot_word(layout::slot_lap(desired), layout::SlotState::redeliver, 0);
      break;
    default:
      break;
  }
  return word_->compare_exchange_strong(expected, desired, success, failure);
}

std::uint64_t BreakableWord::fetch_or(std::uint64_t bits, std::memory_order order) {
  const bool apart = breakage_->mutation == Mutation::closed_apart && role_ == Role::tail;
  return apart ? breakage_->words.closed_apart.fetch_or(bits, order) : word_->fetch_or(bits, order);
}

std::uint64_t BreakableWord::fetch_add(std::uint64_t by, std::memory_order order) {
  return word_->fetch_add(by, order);
}

}  // namespace ring_test
