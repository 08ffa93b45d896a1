#include "spsc_memory.hpp"

#include <utility>

namespace spsc_test {

namespace layout = shmq::layout;

Words::Words(unsigned ring_bytes, std::uint64_t start, bool fenced, Flaw flaw_made)
    : bytes(ring_bytes),
      flaw(flaw_made),
      producer_word(0, "producer"),
      tail_word(start, "tail"),
      settled_word(start, "settled"),
      consumer_word(0, "consumer"),
      received_word(start, "received"),
      released_word(start, "released"),
      head_word(start, "head"),
      state_word(fenced ? layout::kSpscFence : 0, "state"),
      last_word(start, "last") {
  producer.bind(*this, producer_word, Role::producer);
  tail.bind(*this, tail_word, Role::tail);
  settled.bind(*this, settled_word, Role::settled);
  consumer.bind(*this, consumer_word, Role::plain);
  received.bind(*this, received_word, Role::received);
  released.bind(*this, released_word, Role::plain);
  head.bind(*this, head_word, Role::plain);
  state.bind(*this, state_word, Role::state);
  last.bind(*this, last_word, Role::last);
  for (unsigned i = 0; i < granules_max; ++i) {
    first[i].label("word", i), second[i].label("extent", i);
    // What earlier laps left: anything. Here: payload that looks like a published record.
    first[i].store(layout::kRecordPublished | 0xdead), second[i].store(std::uint64_t{48} << 32);
    word[i].bind(*this, first[i], Role::word, i);
    extent[i].bind(*this, second[i], Role::extent, i);
  }
  first[(start & (bytes - 1)) / 16].store(0);
}

void Proxy::bind(Words& words, Word& word, Role role, unsigned index) {
  words_ = &words;
  word_ = &word;
  role_ = role;
  index_ = index;
}

namespace {
Words::Memory& mine(Words& words) { return words.of[sim::World::current().running()]; }
}  // namespace

std::uint64_t Proxy::load(std::memory_order order) const {
  Words::Memory& before = mine(*words_);
  const Role last = before.last;
  before.last = role_;
  switch (words_->flaw) {
    case Flaw::no_second_look:
      if (role_ != Role::word) break;
      if (last == Role::extent && before.index == index_) return before.value;
      before.index = index_;
      return before.value = word_->load(order);
    case Flaw::no_owner_recheck:
      if (role_ != Role::producer) break;
      if (last == Role::extent) return before.owner;
      return before.owner = word_->load(order);
    case Flaw::look_before_tail:
      if (role_ != Role::state || !before.early) break;
      before.early = false;
      return before.state;
    default:
      break;
  }
  return word_->load(order);
}

void Proxy::store(std::uint64_t value, std::memory_order order) {
  Words::Memory& before = mine(*words_);
  const Role loaded = std::exchange(before.last, Role::plain);
  switch (words_->flaw) {
    case Flaw::relaxed_publish:
      if (role_ == Role::word && (value & layout::kRecordPublished)) order = std::memory_order_relaxed;
      break;
    case Flaw::next_not_cleared:
      if (role_ == Role::word && value == 0) return;
      break;
    case Flaw::last_not_stored:
      if (role_ == Role::last) return;
      break;
    case Flaw::open_extent_left_out:
      if (role_ == Role::extent && (value & 0xffffffff) == 0) {
        before.late_extent = word_, before.late_value = value, before.late_index = index_;
        return;
      }
      if (before.late_extent != nullptr) {  // what it was for shows in what comes next
        if (role_ == Role::word && index_ == before.late_index && value != 0)
          before.late_extent->store(before.late_value, std::memory_order_relaxed);
        before.late_extent = nullptr;
      }
      break;
    case Flaw::last_relaxed:
      if (role_ == Role::last) order = std::memory_order_relaxed;
      [[fallthrough]];
    case Flaw::swapped_where_relaxed:
      if (before.late_extent == nullptr) {
        if (role_ != Role::extent || (value & 0xffffffff) != 0 || loaded == Role::word) break;
        before.late_extent = word_, before.late_value = value;  // a producer's: it is held back as long as may be
        return;
      }
      if (order == std::memory_order_relaxed && role_ == Role::word) break;
      if (order == std::memory_order_relaxed && role_ == Role::last) word_->store(value, order);
      std::exchange(before.late_extent, nullptr)->store(before.late_value, std::memory_order_relaxed);
      if (order == std::memory_order_relaxed && role_ == Role::last) return;
      break;
    case Flaw::received_not_stored:
      if (role_ == Role::received) return;
      break;
    case Flaw::done_not_marked:
      if (role_ == Role::extent && (value & layout::kRecordDone)) return;
      break;
    case Flaw::settled_not_stored:
      if (role_ == Role::settled) return;
      break;
    case Flaw::look_before_tail:
      if (role_ != Role::tail) break;
      before.state = words_->state_word.load(std::memory_order_relaxed), before.early = true;
      break;
    default:
      break;
  }
  word_->store(value, order);
}

bool Proxy::compare_exchange_strong(std::uint64_t& expected, std::uint64_t desired, std::memory_order success,
                                    std::memory_order failure) {
  if (words_->flaw == Flaw::freed_by_store && shmq::core::end_state(desired) == layout::EndState::free) {
    word_->store(desired, std::memory_order_release);
    return true;
  }
  if (words_->flaw == Flaw::last_not_mended && role_ == Role::extent) return true;
  return word_->compare_exchange_strong(expected, desired, success, failure);
}

}  // namespace spsc_test
