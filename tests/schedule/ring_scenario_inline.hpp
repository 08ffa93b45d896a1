#pragma once
// The bodies of ring_scenario.hpp. The consumer's look() is that of src/objects/consumer.cpp.

#include <algorithm>

#include "ring_scenario.hpp"

namespace ring_test {

namespace layout = shmq::layout;
using shmq::core::Fate;
using shmq::core::Grant;
using shmq::core::RingStatus;

inline unsigned count_parts(const Cast& cast, bool newcomers) {
  unsigned count = 0;
  for (const Part part : cast.parts) {
    const bool is_new = part == Part::new_producer || part == Part::new_consumer;
    count += part != Part::none && (newcomers || !is_new);
  }
  return count;
}

template <class Memory>
RingScenario<Memory>::RingScenario(const Cast& cast)
    : cast_(cast),
      threads_(count_parts(cast, true)),
      words_(cast.capacity_log2, cast.start,
             cast.trail_age != 0 ? cast.trail_age : std::uint64_t{1} << cast.capacity_log2),
      ring_(Memory(&words_, cast.mutation)),
      participants_(count_parts(cast, false), count_parts(cast, false), cast.mutation),
      books_(cast.start) {}

template <class Memory>
void RingScenario<Memory>::run(unsigned thread) {
  Owner me{thread + 1, 1};
  const Part part = cast_.parts[thread];
  const bool comes = (part != Part::new_producer && part != Part::new_consumer) || attach_as_newcomer(me);
  if (comes && (part == Part::producer || part == Part::new_producer)) produce(me, thread);
  if (comes && (part == Part::consumer || part == Part::new_consumer)) consume(me);
  if (part == Part::reaper) reap_until_the_end(thread);
  if (part == Part::closer) close_at_any_time(thread);
  sim::local_state(0);
}

template <class Memory>
void RingScenario<Memory>::produce(Owner me, unsigned thread) {
  const unsigned messages =
      thread == 0 && cast_.messages_of_first != 0 ? cast_.messages_of_first : cast_.messages;
  const auto message = [&](unsigned i) { return 1 + thread * 8 + i; };
  for (unsigned sent = 0; sent < messages;) {
    sim::local_state(remembers(1, sent, me.incarnation));
    const Grant grant = ring_.try_claim(me, std::min(cast_.claim_batch, messages - sent));
    if (grant.status == RingStatus::closed) return;
    if (grant.status == RingStatus::full) {
      if (cast_.drops && drop_oldest(me, remembers(9, sent, me.incarnation))) continue;
      if (all_ended(Part::consumer, Part::new_consumer)) return;  // nobody will ever make room
      if (!housekeeping(me.id - 1, remembers(1, sent, me.incarnation))) sim::pause();
      continue;
    }
    if (grant.status != RingStatus::ok) return sim::fail("the ring says corrupt");
    for (unsigned i = 0; i < grant.count; ++i) {
      books_.claim(layout::position_add(grant.position, i), message(sent + i));
    }
    for (unsigned i = 0; i < grant.count; ++i, ++sent) {
      const std::uint64_t position = layout::position_add(grant.position, i);
      const std::uint64_t index = ring_.index_of(position);
      sim::local_state(remembers(2, sent, sim::mix(position, grant.count - i)));
      words_.payload[index].store(message(sent), std::memory_order_relaxed);
      sim::require(words_.slots[index].peek() == ring_.free_word(position), "a claim taken from the living");
      if (cast_.aborts && sent == 0) {
        ring_.abort(position);
        books_.abort(position);
      } else {
        ring_.publish(position);
        books_.publish(position);
      }
    }
  }
}

// What src/objects/drop_oldest.cpp does. True where another claim is worth while.
template <class Memory>
bool RingScenario<Memory>::drop_oldest(Owner me, std::uint64_t caller) {
  sim::local_state(caller);
  const Grant oldest = ring_.try_drop_oldest(me);
  if (oldest.status == RingStatus::empty || oldest.status == RingStatus::closed) return true;
  if (oldest.status == RingStatus::full) return false;
  if (oldest.status != RingStatus::ok) {
    sim::fail("the ring says corrupt");
    return false;
  }
  const std::uint64_t word = words_.slots[ring_.index_of(oldest.position)].peek();
  books_.drop(oldest.position, word, ring_.capacity());
  sim::local_state(sim::mix(caller, oldest.position));
  ring_.release(oldest.position);
  if (word == ring_.ready_word(oldest.position)) books_.release(oldest.position);
  return true;
}

template <class Memory>
auto RingScenario<Memory>::look(Consumer& consumer) -> Look {
  for (;;) {
    sim::local_state(remembers(3, consumer.seen, consumer.me.incarnation));
    const std::uint64_t sequence = ring_.redelivery_sequence();
    if (consumer.seen != sequence) {
      if (cast_.mutation == Mutation::seen_before_scan) consumer.seen = sequence;
      const Grant again = ring_.try_take_redelivered(consumer.me);
      if (again.status == RingStatus::ok) {
        const std::uint64_t word = words_.slots[ring_.index_of(again.position)].peek();
        books_.deliver(again.position, word);
        use(consumer, again.position, word, 0);
        return Look::took;
      }
      consumer.seen = cast_.mutation == Mutation::seen_after_scan ? ring_.redelivery_sequence() : sequence;
    }
    const Grant grant = ring_.try_take(consumer.me, cast_.take_batch);
    if (grant.status == RingStatus::ok) {
      for (unsigned i = 0; i < grant.count; ++i) {
        const std::uint64_t position = layout::position_add(grant.position, i);
        books_.take(position, words_.slots[ring_.index_of(position)].peek());
      }
      bool message = false;
      for (unsigned i = 0; i < grant.count; ++i) {
        const std::uint64_t position = layout::position_add(grant.position, i);
        const std::uint64_t rest = (grant.count - i) * 2 + message;
        sim::local_state(remembers(4, sim::mix(consumer.seen, position), rest));
        const std::uint64_t word =
            ring_.memory().slot(ring_.index_of(position)).load(std::memory_order_relaxed);
        if (word == ring_.ready_word(position)) {
          message = true;
          use(consumer, position, word, rest);
        } else {
          ring_.release(position);
        }
      }
      if (message) return Look::took;
      continue;
    }
    if (grant.status != RingStatus::empty) {
      sim::fail("the ring says corrupt");
      return Look::over;
    }
    if (!over()) return Look::nothing;
    books_.end();
    return Look::over;
  }
}

template <class Memory>
bool RingScenario<Memory>::over() const {
  if (cast_.mutation != Mutation::end_without_slots) return ring_.drained();
  const std::uint64_t tail = ring_.memory().tail().load(std::memory_order_acquire);
  const std::uint64_t head = ring_.memory().head().load(std::memory_order_acquire);
  return (tail & layout::kRingClosed) != 0 && layout::ring_position(head) == layout::ring_position(tail);
}

// `rest` is what the caller remembers of the rest of its batch.
template <class Memory>
void RingScenario<Memory>::use(Consumer& consumer, std::uint64_t position, std::uint64_t held,
                               std::uint64_t rest) {
  const std::uint64_t index = ring_.index_of(position);
  sim::local_state(remembers(5, sim::mix(consumer.seen, position), sim::mix(held, rest)));
  books_.read(position, words_.payload[index].load(std::memory_order_relaxed));
  sim::require(words_.slots[index].peek() == held, "a message taken from the living");
  books_.read(position, words_.payload[index].peek());
  if (cast_.gives_back && layout::slot_deliveries(held) == 0) return ring_.redeliver(position);
  ring_.release(position);
  books_.release(position);
}

template <class Memory>
void RingScenario<Memory>::consume(Owner me) {
  Consumer consumer{me};
  for (;;) {
    const Look found = look(consumer);
    if (found == Look::over) return;
    if (found == Look::nothing && !housekeeping(me.id - 1, remembers(3, consumer.seen, me.incarnation)))
      sim::pause();
  }
}

template <class Memory>
void RingScenario<Memory>::reap_until_the_end(unsigned row) {
  while (!all_ended(Part::producer, Part::consumer) || !all_ended(Part::new_producer, Part::new_consumer)) {
    if (!housekeeping(row, remembers(6))) sim::pause();
  }
}

template <class Memory>
void RingScenario<Memory>::close_at_any_time(unsigned row) {
  close();
  reap_until_the_end(row);
}

// Waits until row 0 is free, and attaches there. False if it never will be: its owner lives on, or nobody is
// left to sweep it (the real attach sweeps from a spare row then).
template <class Memory>
bool RingScenario<Memory>::attach_as_newcomer(Owner& me) {
  for (;;) {
    sim::local_state(remembers(7));
    if (sim::ended_now(0) && !sim::crashed_now(0)) return false;
    const bool nobody_sweeps =
        all_ended(Part::producer, Part::consumer) && all_ended(Part::reaper, Part::closer);
    sim::local_state(remembers(8, nobody_sweeps));
    if (participants_.try_attach(0, me)) return true;
    if (nobody_sweeps) return false;
    sim::pause();
  }
}

template <class Memory>
bool RingScenario<Memory>::all_ended(Part a, Part b) const {
  for (unsigned i = 0; i < threads_; ++i) {
    if ((cast_.parts[i] == a || cast_.parts[i] == b) && !sim::ended_now(i)) return false;
  }
  return true;
}

// What a waiting call does between two looks. True if something changed that makes another look worth while.
template <class Memory>
bool RingScenario<Memory>::housekeeping(unsigned row, std::uint64_t caller) {
  sim::local_state(sim::mix(caller, 1));
  const bool reaped = participants_.reap(
      row, caller, [this](std::uint32_t dead, std::uint64_t outer) { repair(dead, outer); });
  sim::local_state(sim::mix(caller, 2 + reaped));
  if (books_.closed() || !all_ended(Part::producer, Part::new_producer)) return reaped;
  close();
  return true;
}

template <class Memory>
void RingScenario<Memory>::repair(std::uint32_t dead, std::uint64_t caller) {
  bool& sweeping = words_.sweeping[sim::World::current().running()];
  sweeping = true;
  const std::uint32_t claims = ring_.sweep_producer(dead);
  sim::local_state(sim::mix(caller, 4 + claims));
  const auto mended =
      ring_.sweep_consumer(dead, [](std::uint64_t, std::uint64_t) { return Fate::redeliver; });
  sweeping = false;
  const bool any = claims + mended.redelivered + mended.completed > 0;
  if (cast_.mutation == Mutation::no_announcement ||
      (cast_.mutation == Mutation::announced_if_mended && !any))
    return;
  ring_.announce_redelivery();
}

template <class Memory>
void RingScenario<Memory>::close() {
  ring_.close();
  books_.close();
}

// Whoever is left mends what the dead left, drains the ring, and finds every message and every slot where it
// belongs.
template <class Memory>
void RingScenario<Memory>::check() {
  const sim::World& world = sim::World::current();
  sim::require(!cast_.stopped_reaper_holds_nobody_up || !world.waited_for_stopped(),
               "a stopped reaper held somebody up");
  while (participants_.reap(Participants::no_row, 0,
                            [this](std::uint32_t dead, std::uint64_t) { repair(dead, 0); })) {
  }
  if (!books_.closed()) close();
  Consumer last{{layout::kOwnerMax, 1}};
  Look found = Look::took;
  for (unsigned i = 0; i < 2 * Books::positions_max && found == Look::took; ++i) found = look(last);
  sim::require(found == Look::over, "something is left in the ring that nobody can take");
  books_.balance();
  const std::uint64_t end = layout::position_add(cast_.start, books_.claimed());
  sim::require(layout::ring_position(words_.tail.peek()) == end, "tail is not where the claims end");
  for (unsigned i = 0; i < words_.capacity(); ++i) {
    const std::uint64_t position = layout::position_add(end, i);
    sim::require(words_.slots[ring_.index_of(position)].peek() == ring_.free_word(position),
                 "a slot is not free at the end");
  }
  for (unsigned i = 0; i < count_parts(cast_, false); ++i) {
    sim::require(!world.crashed(i) || participants_.is_free(i) || i == 0,
                 "the row of a dead participant was not freed");
  }
}

template <class Memory>
std::string RingScenario<Memory>::name(unsigned thread) const {
  constexpr std::array names{"nobody",       "producer",     "consumer", "reaper",
                             "new producer", "new consumer", "closer"};
  return std::string(names[static_cast<std::size_t>(cast_.parts[thread])]) + ' ' + std::to_string(thread);
}

// Positions and laps are shown counted from the start.
template <class Memory>
std::string RingScenario<Memory>::show(const char* label, std::uint64_t value) const {
  const std::string_view what = label != nullptr ? label : "";
  if (what == "slot") {
    constexpr std::array states{"FREE", "READY", "TOMB", "REDELIVER", "READING"};
    const auto lap = ring_.lap_diff(layout::slot_lap(value), ring_.lap_of(cast_.start));
    std::string text = states[static_cast<std::size_t>(layout::slot_state(value)) % states.size()];
    text += "(lap " + std::to_string(lap);
    if (layout::slot_deliveries(value) != 0)
      text += ", again " + std::to_string(layout::slot_deliveries(value));
    if (layout::owner_of(value) != 0) text += ", owner " + std::to_string(layout::owner_of(value));
    return text + ')';
  }
  if (what == "tail" || what == "head" || what == "producer trail" || what == "consumer trail") {
    std::string text = '{' +
                       std::to_string(layout::position_diff(layout::ring_position(value), cast_.start)) +
                       ", owner " + std::to_string(layout::owner_of(value)) + '}';
    return value & layout::kRingClosed ? text + " closed" : text;
  }
  if (what == "row" || what == "sweeping") {
    constexpr std::array states{"free", "joining", "alive", "swept"};
    return std::string(states[layout::word_state(value) % states.size()]) + " epoch " +
           std::to_string(layout::word_epoch(value));
  }
  return Scenario::show(label, value);
}

}  // namespace ring_test
