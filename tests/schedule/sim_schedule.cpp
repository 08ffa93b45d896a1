// Who goes next: the choice points of sim_world.hpp.
//
// The scheduler runs on the stack of whichever fiber has just reached its next operation, so a thread that
// simply goes on costs no switch of stacks.
//
// Two kinds of offers are left out because an execution without them comes to the same. A crash is offered
// only where the thread is about to write, to wait or to leave: the reads in between change nothing that
// others can see, and when others learn of the death is a choice of its own, in dead(). A held store becomes
// visible only when another thread's next step could tell. reference_test.cpp holds both to the model without
// them.

#include <algorithm>

#include "sim.hpp"
#include "sim_hash.hpp"
#include "sim_world.hpp"

namespace sim {

bool World::enabled(unsigned thread) const {
  const Thread& t = threads_[thread];
  return t.status == Status::ready || (t.status == Status::paused && (news_ >> thread & 1) != 0);
}

// Runs until another step of some thread has been chosen, and returns on that thread's stack.
void World::schedule() {
  for (;;) {
    list_options();
    if (options_.empty()) {
      if (ending_ == Ending::completed) settle_or_wedge();
      if (ending_ != Ending::completed || options_.empty()) break;
    }
    if (seen_ != nullptr && chooser_->on_new_ground()) {
      const BudgetsLeft left{static_cast<std::uint16_t>(left_.preemptions),
                             static_cast<std::uint16_t>(left_.delays),
                             static_cast<std::uint16_t>(left_.stale)};
      if (seen_->seen_or_add(state_key(), left)) {
        ending_ = Ending::pruned;
        break;
      }
    }
    const Option chosen = options_[take(options_)];
    Thread& t = threads_[chosen.thread];
    switch (chosen.pick) {
      case Pick::flush:
        flush(chosen.thread, chosen.entry);
        not_next_ |= 1u << chosen.thread;
        break;
      case Pick::crash:
        --left_.crashes;
        t.status = Status::crashed;
        news_ = ~0u;
        if (recording_) record_thread(chosen.thread, "CRASHES");
        break;
      case Pick::stop:
        --left_.stops;
        t.stopped = true;
        if (recording_) record_thread(chosen.thread, "is STOPPED");
        break;
      default:
        return step(chosen.thread);
    }
    if (ending_ != Ending::completed) break;
  }
  finish(ending_);
}

void World::step(unsigned thread) {
  if (last_ != thread && last_ != nobody && enabled(last_) && !threads_[last_].stopped &&
      threads_[last_].next != Op::pause && threads_[last_].next != Op::exit) {
    spend(left_.preemptions, bounds_.preemptions);
  }
  Thread& t = threads_[thread];
  if (t.stopped) {
    t.stopped = false;
    if (recording_) record_thread(thread, "is continued");
  }
  if (t.status == Status::paused) {
    t.status = Status::ready;
    t.fresh = true;
  }
  for (unsigned i = 0; i < thread_count_; ++i) {
    if (i == thread) continue;
    for (unsigned k = 0; k < threads_[i].held_count; ++k) threads_[i].held[k].aged = true;
  }
  not_next_ &= 1u << thread;
  last_ = thread;
  if (++steps_ > steps_max_) {
    ending_ = Ending::too_long;
    finish(ending_);
    return;
  }
  if (thread == running_) return;
  Fiber& from = running_ == nobody ? main_ : threads_[running_].fiber;
  running_ = thread;
  t.fiber.resume_from(from);
}

// Ends the execution: the caller's stack is left for good, unless it is the main one.
void World::finish(Ending ending) {
  ending_ = ending;
  if (running_ == nobody) return;
  Fiber& from = threads_[running_].fiber;
  running_ = nobody;
  main_.resume_from(from);
}

// Nothing can be chosen. Brings the held stores of the finished and the dead home, and tells an end from a
// wedge.
void World::settle_or_wedge() {
  for (unsigned i = 0; i < thread_count_; ++i) drain(i);
  list_options();
  if (!options_.empty()) return;
  std::string stuck;
  for (unsigned i = 0; i < thread_count_; ++i) {
    if (threads_[i].status != Status::paused && threads_[i].status != Status::futex) continue;
    stuck += (stuck.empty() ? "" : ", ") + scenario_->name(i);
  }
  // Not fail(): it would leave this frame, and its string, for good.
  if (!stuck.empty()) set_failure("wedge: nothing can run, and these still wait: " + stuck);
}

void World::list_options() {
  options_.clear();
  const auto add = [&](Pick pick, unsigned thread, unsigned entry = 0) {
    options_.push_back({pick, static_cast<std::uint8_t>(thread), static_cast<std::uint8_t>(entry)});
  };
  const auto can_step = [&](unsigned i) {
    return enabled(i) && !threads_[i].stopped && (not_next_ >> i & 1) == 0;
  };
  const bool goes_on = last_ != nobody && enabled(last_) && !threads_[last_].stopped;
  const bool yields = goes_on && (threads_[last_].next == Op::pause || threads_[last_].next == Op::exit);
  const bool may_leave = !goes_on || yields || left_.preemptions > 0;
  if (goes_on && !yields && can_step(last_)) add(Pick::run, last_);
  if (may_leave) {
    for (unsigned i = 0; i < thread_count_; ++i) {
      if (i != last_ && can_step(i)) add(Pick::run, i);
    }
  }
  if (yields && can_step(last_)) add(Pick::run, last_);
  for (unsigned i = 0; i < thread_count_; ++i) {
    if (threads_[i].held_count > 0 && (i != last_ || may_leave)) list_flushes(i);
  }
  if (options_.empty()) list_set_aside();
  if (!options_.empty()) list_faults();
}

// Whoever was set aside may go once nobody else can: first the threads whose store was just flushed, then the
// stopped.
void World::list_set_aside() {
  const auto add = [&](unsigned thread) {
    options_.push_back({Pick::run, static_cast<std::uint8_t>(thread), 0});
  };
  for (unsigned i = 0; i < thread_count_; ++i) {
    if (enabled(i) && !threads_[i].stopped) add(i);
  }
  if (!options_.empty()) return;
  bool any_waits = false;
  for (unsigned i = 0; i < thread_count_; ++i) {
    const bool waits = threads_[i].status == Status::paused || threads_[i].status == Status::futex;
    any_waits |= waits && !threads_[i].stopped;
    if (enabled(i)) add(i);
  }
  waited_for_stopped_ |= any_waits && !options_.empty();
}

void World::list_faults() {
  if (left_.crashes == 0 && left_.stops == 0) return;
  for (unsigned i = 0; i < thread_count_; ++i) {
    // Where switches are free, so is stepping first to where a fault makes a difference, and nothing depends
    // on `last_`.
    if (bounds_.preemptions != unbounded && i != last_) continue;
    const Thread& t = threads_[i];
    if (t.status == Status::done || t.status == Status::crashed || t.stopped || t.next == Op::start) continue;
    const bool read_next = t.next == Op::read || t.next == Op::ask;
    if (left_.crashes > 0 && (bounds_.may_crash >> i & 1) != 0 && !(read_next && t.status == Status::ready)) {
      options_.push_back({Pick::crash, static_cast<std::uint8_t>(i), 0});
    }
    if (left_.stops > 0 && (bounds_.may_stop >> i & 1) != 0 && enabled(i) && t.next != Op::exit) {
      options_.push_back({Pick::stop, static_cast<std::uint8_t>(i), 0});
    }
  }
}

void World::list_flushes(unsigned thread) {
  const Thread& t = threads_[thread];
  std::array<bool, held_max> needed{};
  for (unsigned i = t.held_count; i-- > 0;) {
    needed[i] = flush_wanted(thread, t.held[i]);
    for (unsigned k = i + 1u; k < t.held_count; ++k)
      needed[i] = needed[i] || (needed[k] && precedes(t.held[i], t.held[k]));
  }
  for (unsigned i = 0; i < t.held_count; ++i) {
    if (!needed[i] || !t.held[i].aged || !can_flush(t, i)) continue;
    options_.push_back({Pick::flush, static_cast<std::uint8_t>(thread), static_cast<std::uint8_t>(i)});
  }
}

// Could the next step of another thread tell whether this store is visible?
bool World::flush_wanted(unsigned thread, const Held& held) const {
  const bool dying = threads_[thread].status == Status::crashed;
  for (unsigned i = 0; i < thread_count_; ++i) {
    if (i == thread) continue;
    const Thread& other = threads_[i];
    for (unsigned k = 0; k < other.held_count; ++k) {
      if (other.held[k].cell == held.cell) return true;
    }
    if (other.status == Status::paused && (news_ >> i & 1) == 0) {
      if (dying || held.value != held.cell->value) return true;
    }
    if (other.status != Status::ready) continue;
    if (other.next_cell == held.cell) return true;
    if (other.next == Op::ask && dying && other.next_subject == thread) return true;
  }
  return false;
}

std::uint64_t World::state_key() const {
  std::uint64_t key = mix(memory_hash_, scenario_->shadow());
  std::uint32_t alive = 0;
  for (unsigned i = 0; i < thread_count_; ++i) {
    alive |= std::uint32_t{threads_[i].status != Status::done && threads_[i].status != Status::crashed} << i;
  }
  const bool last_matters = bounds_.preemptions != unbounded;  // for what it costs to leave it
  key = mix(key, (std::uint64_t{news_ & alive} << 32) | (not_next_ << 16) | (left_.stops << 8) |
                     (waited_for_stopped_ ? 0x80 : 0) | (last_matters ? last_ : nobody));
  for (unsigned i = 0; i < thread_count_; ++i) {
    const Thread& t = threads_[i];
    if (t.held_count == 0 && t.status == Status::crashed) {
      key = mix(key, t.death_known);
      continue;  // what it knew is gone with it
    }
    const auto flags = static_cast<std::uint64_t>(t.status) | std::uint64_t{t.stopped} << 4 |
                       std::uint64_t{t.fresh} << 5 | std::uint64_t{t.death_known} << 6 |
                       std::uint64_t{t.woken} << 7 |
                       static_cast<std::uint64_t>(t.next) << 8;
    key = mix(key, t.status == Status::crashed ? flags : flags ^ t.history);
    for (unsigned k = 0; k < t.held_count; ++k) {
      const Held& held = t.held[k];
      const auto kind = static_cast<std::uint64_t>(held.epoch - t.epoch) << 8 | std::uint64_t{held.release} |
                        std::uint64_t{held.seq_cst} << 1 | std::uint64_t{held.aged} << 2;
      key = mix(mix(key, kind << 32 | held.cell->id), held.value);
    }
  }
  return key;
}

void World::spend(unsigned& budget, unsigned whole) {
  if (whole != unbounded && budget > 0) --budget;
}

unsigned World::take(std::span<const Option> options) {
  if (options.size() == 1) return 0;
  const unsigned taken = chooser_->choose(options, last_);
  choices_.push_back(static_cast<std::uint8_t>(taken));
  return taken;
}

unsigned World::choose_value(unsigned options) {
  if (options <= 1) return 0;
  std::array<Option, 16> list{};
  for (unsigned i = 0; i < options && i < list.size(); ++i)
    list[i] = {Pick::value, 0, static_cast<std::uint8_t>(i)};
  return take({list.data(), std::min<std::size_t>(options, list.size())});
}

}  // namespace sim
