#include "hint_scenario.hpp"

#include <algorithm>

namespace task_test {

using shmq::core::HintStatus;

namespace {
constexpr std::uint32_t nothing = ~0u;
}

HintScenario::HintScenario(const HintCast& cast)
    : Listener(cast.flaw),
      cast_(cast),
      words_(*this, 0, cast.log2, cast.start),
      ring_(SimHintMemory(&words_)) {
  while (threads_ < cast.scripts.size() && cast.scripts[threads_] != nullptr) ++threads_;
  for (unsigned i = 0; i < cast.there; ++i) (void)ring_.push(100 + i);
}

void HintScenario::changed(const Proxy& proxy, std::uint64_t from, std::uint64_t to) {
  sim::require(words_.in_order(), "tail lies behind head, or more than a lap ahead");
  if (proxy.role() != Role::cell) return;
  Call& call = calls_[sim::World::current().running()];
  ++call.changes;
  if (static_cast<std::uint32_t>(to) != 0) {
    sim::require(static_cast<std::uint32_t>(from) == 0, "a hint was pushed over another one");
    if (length_ == queue_max) return sim::fail("more hints than the books have room for");
    queue_[length_++] = static_cast<std::uint32_t>(to) - 1;
  } else {
    call.hint = static_cast<std::uint32_t>(from) - 1;
    sim::require(length_ > 0 && queue_[0] == call.hint, "popped out of turn");
    std::copy(queue_.begin() + 1, queue_.end(), queue_.begin());
    if (length_ > 0) --length_;
  }
  look();
}

void HintScenario::look() {
  for (Call& call : calls_) {
    call.was_full |= length_ == ring_.capacity();
    call.was_empty |= length_ == 0;
  }
}

void HintScenario::begin(unsigned thread) {
  calls_[thread] = {};
  look();
}

void HintScenario::push(unsigned thread, std::uint32_t hint) {
  begin(thread);
  const HintStatus status = ring_.push(hint);
  const Call& call = calls_[thread];
  sim::require(status == HintStatus::ok || status == HintStatus::full, "the ring says corrupt");
  sim::require(call.changes == (status == HintStatus::ok), "pushed, and not in the ring once");
  sim::require(status != HintStatus::full || call.was_full, "full, and there was room all the while");
}

HintStatus HintScenario::pop(unsigned thread) {
  begin(thread);
  std::uint32_t hint = nothing;
  const HintStatus status = ring_.pop(hint);
  const Call& call = calls_[thread];
  sim::require(status == HintStatus::ok || status == HintStatus::none, "the ring says corrupt");
  sim::require(call.changes == (status == HintStatus::ok), "popped, and not taken from the ring once");
  sim::require(status != HintStatus::ok || hint == call.hint, "another hint than was taken");
  sim::require(status != HintStatus::none || call.was_empty, "empty, and a hint was there all the while");
  return status;
}

void HintScenario::run(unsigned thread) {
  const char* const script = cast_.scripts[thread];
  for (unsigned i = 0; script[i] != '\0'; ++i) {
    of[thread] = {};
    calls_[thread] = {};
    sim::local_state(i);
    if (script[i] == '+')
      push(thread, thread * 8 + i);
    else
      (void)pop(thread);
  }
  of[thread] = {};
  calls_[thread] = {};
  sim::local_state(~0ull);
}

// Whoever is left finds every hint that was pushed and not popped, in order, and then a ring that holds as
// much as ever.
void HintScenario::check() {
  const unsigned last = sim::threads_max;
  for (unsigned i = 0; i < queue_max && pop(last) == HintStatus::ok;) ++i;
  sim::require(length_ == 0, "a hint is left in the ring that nobody can take");
  for (unsigned lap = 0; lap < 2; ++lap) {
    for (unsigned i = 0; i < ring_.capacity() + 1; ++i) push(last, 50 + i);
    sim::require(length_ == ring_.capacity(), "the ring holds less than it did");
    for (unsigned i = 0; i < ring_.capacity() + 1; ++i) (void)pop(last);
    sim::require(length_ == 0, "a hint is left in the ring that nobody can take");
  }
}

std::uint64_t HintScenario::shadow() const {
  std::uint64_t hash = length_;
  for (unsigned i = 0; i < length_; ++i) hash = sim::mix(hash, queue_[i]);
  for (unsigned i = 0; i < threads_; ++i) {
    if (sim::World::current().crashed(i)) continue;
    const Call& c = calls_[i];
    hash = sim::mix(hash, std::uint64_t{c.hint} << 8 | c.changes << 2 | c.was_full << 1 | c.was_empty);
    hash = sim::mix(hash, of[i].hash());
  }
  return hash;
}

}  // namespace task_test
