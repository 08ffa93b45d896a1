// The words of a task table, and every change of them. docs/architecture.md has the table of transitions.
//
// Who may call     any participant; what takes a Lease, whoever was given it. Everything may be called too late: it then
//                  changes nothing and says so.
// Progress         lock-free.
// Linearization    each transition is one compare-and-swap of the task's word.
//
// Invariants
//  T1  A task's word names its owner where it has one: {epoch, owner, ALLOC | CLAIMED | RUNNING}. Its epoch is raised by
//      each transition but "start" and "publish", so the word a lease was given is never there again: the epoch is the
//      fencing token, and nobody's completion is taken for another's.
//  T2  How a run ended is said by the very CAS that ends it, in bits that an unowned word has to spare, and counted in the
//      tally afterwards, by whoever comes first; the tally's tag says which epoch it has counted. No transition leaves an
//      unowned word whose end is not counted. So each run is counted once, whoever is killed where, and while a task is
//      claimed or runs its tally stands still.
//  T3  What is not a word is written in ALLOC, by its owner alone.
//
// Killed after any instruction of a change, its owner leaves a word from before it or after it. The reaper of `dead`:
//   ALLOC(dead)      → ALLOC(reaper), and then cleared away: its blocks go back, FREE
//   CLAIMED(dead)    → READY; no run, nothing is counted
//   RUNNING(dead)    → READY, DELAYED or DEAD, as a crash
#pragma once

#include <atomic>
#include <cstdint>

#include "shmq/layout/task_table.hpp"
#include "shmq/layout/words.hpp"

namespace shmq::core {

/// The right to start, complete or give back one run of a task.
struct Lease {
  std::uint32_t index = 0;
  std::uint64_t word = 0;  // CLAIMED or RUNNING, with its epoch and owner
  std::uint64_t epoch() const { return layout::word_epoch(word); }
};

/// `Memory` supplies word(i) and tally(i).
template <class Memory>
class TaskWords {
 public:
  TaskWords() = default;
  explicit TaskWords(Memory memory) : memory_(memory) {}
  Memory& memory() { return memory_; }
  const Memory& memory() const { return memory_; }

  std::uint64_t look(std::uint32_t index) const { return memory_.word(index).load(std::memory_order_acquire); }

  /// FREE → ALLOC(me). False: it is not free.
  bool allocate(std::uint32_t index, layout::Owner me, Lease& lease) {
    const std::uint64_t seen = look(index);
    if (layout::task_state(seen) != layout::TaskState::free) return false;
    return take(index, seen, me, layout::TaskState::alloc, lease);
  }
  /// ALLOC(me) → READY, DELAYED or HELD of the same epoch. The tally must have been cleared. False: somebody with the same
  /// key did so for me.
  bool publish(const Lease& lease, layout::TaskState state) {
    return change(lease.index, lease.word, layout::task_word(lease.epoch(), state));
  }
  void clear_tally(const Lease& lease) {
    memory_.tally(lease.index).store(layout::tally_word(lease.epoch(), {}), std::memory_order_relaxed);
  }
  /// ALLOC(dead) → ALLOC(me), to be cleared away. False: somebody else did, or published it.
  bool inherit(std::uint32_t index, std::uint64_t seen, layout::Owner me, Lease& lease) {
    if (layout::task_state(seen) != layout::TaskState::alloc) return false;
    return take(index, seen, me, layout::TaskState::alloc, lease);
  }
  /// Any unowned state but FREE → ALLOC(me), to be cleared away or changed. False: `seen` is not there any more.
  bool seize(std::uint32_t index, std::uint64_t seen, layout::Owner me, Lease& lease) {
    const layout::TaskState state = layout::task_state(seen);
    if (state == layout::TaskState::free || layout::is_owned(state)) return false;
    count(index, seen);
    return take(index, seen, me, layout::TaskState::alloc, lease);
  }
  /// ALLOC(me) → FREE. Everything that it named must have been given back.
  bool free(const Lease& lease) {
    return change(lease.index, lease.word,
                  layout::task_word(layout::epoch_add(lease.epoch(), 1), layout::TaskState::free));
  }

  /// READY → CLAIMED(me). False: it is not ready.
  bool claim(std::uint32_t index, layout::Owner me, Lease& lease) {
    const std::uint64_t seen = look(index);
    if (layout::task_state(seen) != layout::TaskState::ready) return false;
    count(index, seen);
    return take(index, seen, me, layout::TaskState::claimed, lease);
  }
  /// CLAIMED(somebody) → CLAIMED(me).
  bool steal(std::uint32_t index, std::uint64_t seen, layout::Owner me, Lease& lease) {
    if (layout::task_state(seen) != layout::TaskState::claimed) return false;
    return take(index, seen, me, layout::TaskState::claimed, lease);
  }
  /// CLAIMED(me) → RUNNING(me). False: it was stolen.
  bool start(Lease& lease) {
    const std::uint64_t running = (lease.word & ~std::uint64_t{0xf}) | static_cast<std::uint64_t>(layout::TaskState::running);
    if (!change(lease.index, lease.word, running)) return false;
    lease.word = running;
    return true;
  }
  /// CLAIMED(me) → READY: it was never started. False: it was stolen.
  bool unclaim(const Lease& lease) {
    return change(lease.index, lease.word,
                  layout::task_word(layout::epoch_add(lease.epoch(), 1), layout::TaskState::ready));
  }
  /// RUNNING(me) → `to`, with how it ended. False: the lease is not valid any more, and nothing was changed.
  bool settle(const Lease& lease, layout::RunEnd end, layout::TaskState to) {
    const std::uint64_t ended = layout::task_word(layout::epoch_add(lease.epoch(), 1), to, end);
    if (!change(lease.index, lease.word, ended)) return false;
    count(lease.index, ended);
    return true;
  }
  /// RUNNING(me) → ALLOC(me): completed, and to be cleared away. False: as above.
  bool finish(Lease& lease, layout::Owner me) {
    if (layout::task_state(lease.word) != layout::TaskState::running) return false;
    return take(lease.index, lease.word, me, layout::TaskState::alloc, lease);
  }
  /// READY, DELAYED, HELD, WAITING → `to`. False: `seen` is not there any more.
  bool move(std::uint32_t index, std::uint64_t seen, layout::TaskState to) {
    const layout::TaskState state = layout::task_state(seen);
    if (state < layout::TaskState::held || state > layout::TaskState::ready) return false;
    count(index, seen);
    return change(index, seen, layout::task_word(layout::epoch_add(layout::word_epoch(seen), 1), to));
  }

  /// DEAD → READY, with a tally of zeros. False: `seen` is not there any more.
  bool revive(std::uint32_t index, std::uint64_t seen) {
    if (layout::task_state(seen) != layout::TaskState::dead) return false;
    count(index, seen);  // T2: or a late count of this end keeps the revival from being counted
    return change(index, seen,
                  layout::task_word(layout::epoch_add(layout::word_epoch(seen), 1), layout::TaskState::ready,
                                    layout::RunEnd::revived));
  }

  /// What all runs that ended so far came to.
  layout::Tally tally(std::uint32_t index) const {
    return layout::tally_of(memory_.tally(index).load(std::memory_order_acquire));
  }

  /// T2: counts the end that `seen` tells of, where nobody has.
  void count(std::uint32_t index, std::uint64_t seen) {
    if (layout::task_end(seen) == layout::RunEnd::none) return;
    auto& word = memory_.tally(index);
    std::uint64_t old = word.load(std::memory_order_acquire);
    if (layout::tally_tag(old) == (layout::word_epoch(seen) & layout::kTallyTagMask)) return;
    if (look(index) != seen) return;  // it was counted before that
    (void)word.compare_exchange_strong(
        old, layout::tally_word(layout::word_epoch(seen), with(layout::tally_of(old), layout::task_end(seen))),
        std::memory_order_acq_rel, std::memory_order_relaxed);
  }
  /// The tally as it will be once a run that ends so is counted.
  static layout::Tally with(layout::Tally t, layout::RunEnd end) {
    const auto add = [](std::uint32_t& n) { n += n < layout::kTallyMax; };
    if (end == layout::RunEnd::revived) return {};
    if (end == layout::RunEnd::failure) add(t.failures);
    if (end == layout::RunEnd::crash) add(t.crashes);
    if (end == layout::RunEnd::timeout) add(t.timeouts);
    if (end == layout::RunEnd::release) add(t.releases);
    return t;
  }

 private:
  bool take(std::uint32_t index, std::uint64_t seen, layout::Owner me, layout::TaskState state, Lease& lease) {
    const std::uint64_t mine = layout::owned_task(layout::epoch_add(layout::word_epoch(seen), 1), me, state);
    if (!change(index, seen, mine)) return false;
    lease = {index, mine};
    return true;
  }
  /// Release: what was written before. Acquire: what the one before wrote.
  bool change(std::uint32_t index, std::uint64_t from, std::uint64_t to) {
    return memory_.word(index).compare_exchange_strong(from, to, std::memory_order_acq_rel, std::memory_order_acquire);
  }

  Memory memory_{};
};

}  // namespace shmq::core
