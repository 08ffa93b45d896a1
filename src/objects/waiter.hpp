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

/// Calls `attempt(thorough)` until it returns something else than `not_yet`, or the limit ends the wait. Most
/// looks while spinning are not thorough: they should touch no line that the other side writes, except the
/// one that is waited for. `event()` names the word to sleep on; it is asked before each sleep. `now_ns` is
/// left at the last reading of the clock.
template <class Event, class Attempt>
Outcome wait_for(core::Attachment& attachment, Wait how, const Limit& limit, Outcome not_yet, Event&& event,
                 std::int64_t& now_ns, Attempt&& attempt) {
  now_ns = base::monotonic_ns();
  const std::int64_t spin_until = now_ns + kSpinNs;
  std::int64_t slice_ends = now_ns + core::kSleepSliceNs;
  const auto ended = [&]() -> std::optional<Outcome> {
    if (attachment.detached()) return Outcome::detached;
    const bool stopped = limit.stop().stop_requested();
    const bool late = now_ns >= limit.deadline_ns();
    if (now_ns >= slice_ends || stopped || late) {
      // Also at the end of a wait shorter than a slice: calls that wait 1 ms at a time are in the way of the dead, too.
      housekeeping(attachment, now_ns);
      slice_ends = now_ns + core::kSleepSliceNs;
    }
    if (!stopped && !late) return std::nullopt;
    if (const Outcome outcome = attempt(true); outcome != not_yet) return outcome;
    return stopped ? Outcome::stopped : Outcome::timeout;
  };

  for (std::uint32_t turn = 1;; ++turn) {
    if (const Outcome outcome = attempt(turn % 32 == 0); outcome != not_yet) return outcome;
    if (turn % 32 == 0) {
      now_ns = base::monotonic_ns();
      if (const auto outcome = ended()) return *outcome;
      if (how == Wait::spin_futex && now_ns >= spin_until) break;
      if (how == Wait::spin_yield) ::sched_yield();
    }
    base::cpu_relax();
  }

  for (;;) {
    core::EventWord& word = event();
    // Raised before it wakes: a stop between our look and our sleep changes the value that we would sleep on.
    const std::stop_callback on_stop(limit.stop(), [&word] { core::notify_everyone(word); });
    const std::uint32_t expected = core::prepare_sleep(word);
    if (const Outcome outcome = attempt(true); outcome != not_yet) return outcome;
    now_ns = base::monotonic_ns();
    if (const auto outcome = ended()) return *outcome;
    os::futex_wait(word, expected, std::min(slice_ends, limit.deadline_ns()) - now_ns);
    now_ns = base::monotonic_ns();
    if (const Outcome outcome = attempt(true); outcome != not_yet) return outcome;
    if (const auto outcome = ended()) return *outcome;
  }
}

}  // namespace shmq::objects
