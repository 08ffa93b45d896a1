#include "spsc_scenario.hpp"

#include <algorithm>
#include <cstring>

namespace spsc_test {

namespace core = shmq::core;
namespace layout = shmq::layout;
using core::RingStatus;

namespace {

unsigned count(const Cast& cast) {
  return static_cast<unsigned>(std::count_if(cast.parts.begin(), cast.parts.end(), [](Part p) { return p != Part::none; }));
}

/// All that an end remembers between two operations. Padding only keeps states apart that might have met.
template <class End>
std::uint64_t remembered(const End& end, std::uint64_t hash) {
  static_assert(std::is_trivially_copyable_v<End> && sizeof(End) % 8 == 0);
  std::array<std::uint64_t, sizeof(End) / 8> words;
  std::memcpy(words.data(), static_cast<const void*>(&end), sizeof(End));
  for (const std::uint64_t word : words) hash = sim::mix(hash, word);
  return hash;
}

/// Taken for a header, the first granule of a payload would be a published record, the second one would not, and so on.
std::uint64_t payload_of(unsigned message, unsigned i) {
  return (i / 2 % 2 == 0 ? layout::kRecordPublished : 0) | message * 16 | i;
}
unsigned payload_words(std::uint64_t extent) { return static_cast<unsigned>((extent - 16) / 8); }

}  // namespace

SpscScenario::SpscScenario(const Cast& cast)
    : cast_(cast),
      threads_(count(cast)),
      words_(cast.ring_bytes, cast.start, cast.fenced, cast.flaw),
      memory_(&words_) {}

void SpscScenario::run(unsigned thread) {
  switch (cast_.parts[thread]) {
    case Part::producer:
      produce(thread);
      break;
    case Part::consumer:
      consume(thread);
      break;
    case Part::closer:
      close();
      break;
    default:
      while (!all_ended(Part::producer) || !all_ended(Part::consumer))
        if (!reap(thread)) sim::pause();
  }
  sim::local_state(0);
}

bool SpscScenario::all_ended(Part part) const {
  for (unsigned i = 0; i < threads_; ++i)
    if (cast_.parts[i] == part && !sim::ended_now(i)) return false;
  return true;
}

// As objects/spsc_object.cpp sweeps. Spares the living the question.
bool SpscScenario::reap(unsigned thread) {
  bool did = false;
  for (unsigned i = 0; i < threads_; ++i) {
    if (i == thread || !sim::crashed_now(i)) continue;
    const std::uint32_t id = owner(i).id;
    const bool holds = layout::owner_of(memory_.producer().peek()) == id || layout::owner_of(memory_.consumer().peek()) == id;
    if (!holds || !sim::dead(i)) continue;
    did |= core::free_end_of(memory_.producer(), id);
    did |= core::free_end_of(memory_.consumer(), id);
  }
  return did;
}

void SpscScenario::wait(unsigned thread) {
  if (reap(thread)) return;
  const std::uint64_t state = memory_.state().peek();
  if (all_ended(Part::producer) && !(state & layout::kSpscClosed)) return close();
  sim::pause();
}

// src/objects/spsc_queue.cpp: close_records(). Where membarrier is refused the real one sleeps.
void SpscScenario::close() {
  memory_.state().fetch_or(layout::kSpscClosing, std::memory_order_seq_cst);
  if (cast_.flaw != Flaw::close_without_barrier && !cast_.fenced) sim::membarrier();
  memory_.state().fetch_or(layout::kSpscClosed, std::memory_order_seq_cst);
}

bool SpscScenario::take(Producer& producer, unsigned thread) {
  if (!producer.owns_end()) {
    if (producer.take_over(owner(thread), nullptr) != RingStatus::ok) return false;
    books_.owns(Books::producers, thread);
  }
  sim::require(layout::owner_of(memory_.producer().peek()) == owner(thread).id, "the living lost an end");
  return true;
}

bool SpscScenario::take(Consumer& consumer, unsigned thread) {
  if (!consumer.owns_end()) {
    if (consumer.take_over(owner(thread), nullptr) != RingStatus::ok) return false;
    books_.owns(Books::consumers, thread);
  }
  sim::require(layout::owner_of(memory_.consumer().peek()) == owner(thread).id, "the living lost an end");
  return true;
}

void SpscScenario::write(std::uint64_t position, unsigned extent, unsigned message) {
  for (unsigned i = 0; i < payload_words(extent); ++i)
    memory_.payload(position, i).store(payload_of(message, i), std::memory_order_relaxed);
}

void SpscScenario::publish(Producer& producer, std::uint64_t position, unsigned extent, unsigned message) {
  write(position, extent, message);
  producer.publish(position, layout::record_word(extent - 16, message));
  books_.publish(position);
}

void SpscScenario::produce(unsigned thread) {
  Producer producer(memory_);
  for (unsigned sent = 0; sent < cast_.messages;) {
    sim::local_state(remembered(producer, sent));
    if (!take(producer, thread)) {
      wait(thread);
      continue;
    }
    const unsigned extent = cast_.extents[sent];
    const unsigned batch = std::min(cast_.claim_batch, cast_.messages - sent);
    const std::uint64_t tail = memory_.tail().peek();
    const std::uint64_t to_end = cast_.ring_bytes - (tail & (cast_.ring_bytes - 1));
    const std::uint64_t needed = extent + (extent > to_end ? to_end : 0);
    // The books hear of a release a few steps late: then there is less room by them than there is.
    const std::uint64_t used = tail - books_.used_from(cast_.start);
    core::Grant grant;
    // As objects/producer_inline.hpp: the common case first.
    if (batch == 1 && producer.claim_next(extent, grant.position))
      grant.count = 1;
    else
      grant = producer.try_claim(extent, batch, true);
    if (grant.status == RingStatus::closed) break;
    if (grant.status == RingStatus::full) {
      sim::require(!cast_.exact || used + needed + 16 > cast_.ring_bytes, "full, and there is room");
      if (all_ended(Part::consumer)) break;  // nobody will ever make room
      wait(thread);
      continue;
    }
    if (grant.status != RingStatus::ok) return sim::fail("the ring says corrupt");
    const auto message = [&](unsigned i) { return 1 + thread * 4 + i; };
    for (unsigned i = 0; i < grant.count; ++i) {
      books_.claim(grant.position + i * extent, extent, message(sent + i), thread);
    }
    if (cast_.two_claims && sent == 0) {
      const core::Grant second = producer.try_claim(cast_.extents[1], 1, true);
      if (second.status == RingStatus::ok) {
        books_.claim(second.position, cast_.extents[1], message(1), thread);
        publish(producer, second.position, cast_.extents[1], message(1));
        sent = 1;
      }
      if ((cast_.aborts & 1) != 0)
        books_.abort(grant.position, producer.abort(grant.position, extent));
      else
        publish(producer, grant.position, extent, message(0));
      ++sent;
      continue;
    }
    for (unsigned i = 0; i < grant.count; ++i, ++sent) {
      const std::uint64_t position = grant.position + i * extent;
      if ((cast_.aborts >> sent & 1) != 0)
        books_.abort(position, producer.abort(position, extent));
      else
        publish(producer, position, extent, message(sent));
    }
  }
  if (producer.owns_end()) books_.lets_go(Books::producers);
  producer.let_go();
}

void SpscScenario::read(std::uint64_t position) {
  const unsigned message = books_.message(position);
  const std::uint64_t word = memory_.word(position).peek();
  sim::require(layout::descriptor_type(word) == message, "the record is not the one that was published");
  for (unsigned i = 0; i < payload_words(layout::record_length(word) + 16); ++i)
    sim::require(memory_.payload(position, i).load(std::memory_order_relaxed) == payload_of(message, i),
                 "the payload is not what was sent");
}

void SpscScenario::release(Consumer& consumer, std::uint64_t position) {
  consumer.release(position);
  books_.release(position);
}

void SpscScenario::use(Consumer& consumer, std::uint64_t position, bool again) {
  if (cast_.flaw == Flaw::released_before_read) {
    consumer.release(position);
    return read(position);
  }
  read(position);
  if (cast_.gives_back && !again) return consumer.requeue(position);
  release(consumer, position);
}

// src/objects/spsc_queue.cpp: look_at_records().
auto SpscScenario::look(Consumer& consumer, unsigned thread) -> Look {
  if (!take(consumer, thread)) return books_.ended() ? Look::over : Look::nothing;
  const bool must_find = books_.something_waits();
  core::RecordGrant grant;
  std::uint64_t word = 0, taken_extent = 0;
  // As objects/consumer_inline.hpp: the common case first.
  if (cast_.take_batch == 1 && consumer.take_next(grant.position, word, taken_extent))
    grant.mask = 1;
  else
    grant = consumer.try_take(cast_.take_batch, true);
  if (grant.status == RingStatus::ok) {
    std::array<std::uint64_t, 4> positions{};
    unsigned count = 0;
    std::uint64_t position = grant.position;
    for (std::uint64_t rest = grant.mask; rest != 0; rest >>= 1) {
      const std::uint64_t extent = memory_.extent(position).peek();
      if (rest & 1) {
        books_.deliver(position, (extent & layout::kRecordDeliveriesMask) != 0);
        positions[count++] = position;
      }
      position += layout::record_extent(extent);
    }
    if (cast_.holds_two && count == 1) {
      const core::RecordGrant second = consumer.try_take(1, true);
      if (second.status == RingStatus::ok) {
        const std::uint64_t extent = memory_.extent(second.position).peek();
        books_.deliver(second.position, (extent & layout::kRecordDeliveriesMask) != 0);
        use(consumer, second.position, second.again);
      }
    }
    for (unsigned i = 0; i < count; ++i) use(consumer, positions[i], grant.again);
    return Look::took;
  }
  if (grant.status != RingStatus::empty) {
    sim::fail("the ring says corrupt");
    return Look::over;
  }
  sim::require(!cast_.exact || !must_find, "empty, and a message is there");
  consumer.publish_head();
  const std::uint64_t state = memory_.state().load(std::memory_order_acquire);
  if ((state & layout::kSpscClosing) && !(state & layout::kSpscClosed)) close();
  if (!consumer.drained()) return Look::nothing;
  books_.end();
  return Look::over;
}

void SpscScenario::consume(unsigned thread) {
  Consumer consumer(memory_);
  for (bool first = true;;) {
    sim::local_state(remembered(consumer, 16 + first));
    const Look found = look(consumer, thread);
    if (found == Look::over) break;
    if (found == Look::nothing) {
      sim::local_state(remembered(consumer, 18 + first));
      wait(thread);
    } else if (first && cast_.lets_go) {
      first = false;
      books_.lets_go(Books::consumers);
      consumer.let_go();
    }
  }
  if (consumer.owns_end()) books_.lets_go(Books::consumers);
  consumer.let_go();
}

// Whoever is left frees what the dead had, drains the ring, and finds every message and every word where it belongs.
void SpscScenario::check() {
  for (unsigned i = 0; i < threads_; ++i) {
    if (!sim::crashed_now(i)) continue;
    core::free_end_of(memory_.producer(), owner(i).id);
    core::free_end_of(memory_.consumer(), owner(i).id);
  }
  for (const Proxy* end : {&words_.producer, &words_.consumer})
    sim::require(core::end_state(end->peek()) == layout::EndState::free, "an end is owned by nobody who lives");
  if (!(memory_.state().peek() & layout::kSpscClosed)) close();
  cast_.gives_back = cast_.holds_two = false;
  Consumer last(memory_);
  Look found = Look::took;
  for (unsigned i = 0; i < 2 * Books::records_max && found == Look::took; ++i) found = look(last, threads_);
  sim::require(found == Look::over, "something is left in the ring that nobody can take");
  books_.balance();
  sim::require(words_.released.peek() == words_.tail.peek(), "released is not where tail is");
  sim::require(!core::lies_before(words_.released.peek(), words_.head.peek()), "head is beyond released");
  sim::require((memory_.word(words_.tail.peek()).peek() & layout::kRecordPublished) == 0, "published at tail");
}

std::string SpscScenario::name(unsigned thread) const {
  constexpr std::array names{"nobody", "producer", "consumer", "reaper", "closer"};
  return std::string(names[static_cast<std::size_t>(cast_.parts[thread])]) + ' ' + std::to_string(thread);
}

}  // namespace spsc_test
