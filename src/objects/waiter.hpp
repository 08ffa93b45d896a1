// How a call waits: spin, then sleep in slices, mending between them what dead peers left in the way.
#pragma once

#include <sched.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <stop_token>

#include "core/object_kinds.hpp"
#include "shmq/base/clock.hpp"
#include "shmq/core/attachment.hpp"
#include "shmq/core/event.hpp"
#include "shmq/options.hpp"
#include "shmq/outcome.hpp"

namespace shmq::objects {

/// About what a sleep and a wake cost together: spinning for longer than that is dearer than sleeping.
inline constexpr std::int64_t kSpinNs = 20'000;
/// So many looks at a queue between two at the clock.
inline constexpr std::uint32_t kTurns = 32;

/// A producer that meets a full ring lets some of it drain before it looks again: looks at the very slot that the
/// consumer is about to release cost that consumer a cache miss for every message (measured: half of the throughput).
/// A pause for each four slots, 256 at most: about 3 us, in which a busy consumer releases some 150 messages.
inline void let_drain(std::uint64_t capacity) {
  for (std::uint64_t pauses = std::clamp<std::uint64_t>(capacity / 4, 1, 256); pauses > 0; --pauses)
    base::cpu_relax();
}

/// The same on the other side: a consumer that had a run of messages and has caught up with the producer.
inline void let_fill() {
  for (int pauses = 128; pauses > 0; --pauses) base::cpu_relax();
}

/// What only waiting calls have the time for. The dead are looked for once a slice; a segment that was
/// removed by somebody who did not live to say so is noticed here.
inline void housekeeping(core::Attachment& attachment, std::int64_t now_ns) {
  attachment.reap_now_and_then(now_ns);
  if (attachment.view().removed()) core::mark_objects_removed(attachment.view());
}

/// The same for calls that do not wait: they are in the way of the dead as well. The coarse clock costs a few
/// nanoseconds, and a slice is longer than its tick.
inline void housekeeping_of_a_try(core::Attachment& attachment) {
  housekeeping(attachment, base::clock_ns(CLOCK_MONOTONIC_COARSE));
}

/// Where a call waits for one queue. `event()` names the word to sleep on; it is asked before each sleep.
template <class Event>
class OnePlace {
 public:
  OnePlace(core::Attachment& attachment, Event& event) : attachment_(attachment), event_(event) {}
  bool detached() const { return attachment_.detached(); }
  std::uint32_t turns() const { return kTurns; }
  void keep_house(std::int64_t now_ns) { housekeeping(attachment_, now_ns); }
  /// Chooses what to sleep on. Raising the word that is returned ends the next sleep, or keeps it from beginning.
  core::EventWord& choose() { return *(word_ = &event_()); }
  void prepare() { expected_ = core::prepare_sleep(*word_); }
  void sleep(std::int64_t timeout_ns) { os::futex_wait(*word_, expected_, timeout_ns); }

 private:
  core::Attachment& attachment_;
  Event& event_;
  core::EventWord* word_ = nullptr;
  std::uint32_t expected_ = 0;
};

/// Calls `attempt(thorough)` until it returns something else than `not_yet`, or the limit ends the wait. Most
/// looks while spinning are not thorough: they should touch no line that the other side writes, except the
/// one that is waited for. `place` is OnePlace or has the same members. `now_ns` is left at the last reading of
/// the clock.
template <class Place, class Attempt>
Outcome wait_at(Place& place, Wait how, const Limit& limit, Outcome not_yet, std::int64_t& now_ns,
                Attempt&& attempt) {
  now_ns = base::monotonic_ns();
  const std::int64_t spin_until = now_ns + kSpinNs;
  std::int64_t slice_ends = now_ns + core::kSleepSliceNs;
  const auto ended = [&]() -> std::optional<Outcome> {
    if (place.detached()) return Outcome::detached;
    const bool stopped = limit.stop().stop_requested();
    const bool late = now_ns >= limit.deadline_ns();
    if (now_ns >= slice_ends || stopped || late) {
      // Also at the end of a wait shorter than a slice: calls that wait 1 ms at a time are in the way of the dead, too.
      place.keep_house(now_ns);
      slice_ends = now_ns + core::kSleepSliceNs;
    }
    if (!stopped && !late) return std::nullopt;
    if (const Outcome outcome = attempt(true); outcome != not_yet) return outcome;
    return stopped ? Outcome::stopped : Outcome::timeout;
  };

  const std::uint32_t turns = place.turns();
  for (std::uint32_t turn = 1; how != Wait::futex; ++turn) {
    const bool now = turn % turns == 0;
    if (const Outcome outcome = attempt(now); outcome != not_yet) return outcome;
    if (now) {
      now_ns = base::monotonic_ns();
      if (const auto outcome = ended()) return *outcome;
      if (how == Wait::spin_futex && now_ns >= spin_until) break;
      if (how == Wait::spin_yield) ::sched_yield();
    }
    base::cpu_relax();
  }

  for (;;) {
    core::EventWord& word = place.choose();
    // Raised before it wakes: a stop between our look and our sleep changes the value that we would sleep on.
    const std::stop_callback on_stop(limit.stop(), [&word] { core::notify_everyone(word); });
    place.prepare();
    if (const Outcome outcome = attempt(true); outcome != not_yet) return outcome;
    now_ns = base::monotonic_ns();
    if (const auto outcome = ended()) return *outcome;
    place.sleep(std::min(slice_ends, limit.deadline_ns()) - now_ns);
    now_ns = base::monotonic_ns();
    if (const Outcome outcome = attempt(true); outcome != not_yet) return outcome;
    if (const auto outcome = ended()) return *outcome;
  }
}

/// The same for a queue by itself.
template <class Event, class Attempt>
Outcome wait_for(core::Attachment& attachment, Wait how, const Limit& limit, Outcome not_yet, Event&& event,
                 std::int64_t& now_ns, Attempt&& attempt) {
  OnePlace place(attachment, event);
  return wait_at(place, how, limit, not_yet, now_ns, attempt);
}

}  // namespace shmq::objects
