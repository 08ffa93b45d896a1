#include "task_scenario.hpp"

#include <algorithm>

#include "sim_hash.hpp"

namespace task_test {

namespace layout = shmq::layout;
using layout::RunEnd;
using layout::TaskState;
using shmq::core::HintStatus;

namespace {
template <class List, class Value>
unsigned count(const List& list, Value none) {
  return static_cast<unsigned>(std::find(list.begin(), list.end(), none) - list.begin());
}
constexpr unsigned kLooksMax = 3;
}  // namespace

TaskScenario::TaskScenario(const TaskCast& cast)
    : Listener(Flaw::none),
      cast_(cast),
      threads_(count(cast.parts, Part::none)),
      records_(count(cast.records, Init::none)),
      books_(cast.epochs_rise),
      free_words_(*this, 1, records_, cast.start),
      ready_words_(*this, 2, records_, cast.start),
      record_words_(*this),
      free_(SimHintMemory(&free_words_)),
      ready_(SimHintMemory(&ready_words_)),
      words_(SimTaskMemory(&record_words_)) {
  for (unsigned i = 0; i < cast.stale; ++i) (void)ready_.push(0);
  for (unsigned i = 0; i < records_; ++i) set_up(i);
  flaw = cast.flaw;
}

void TaskScenario::set_up(unsigned index) {
  const std::uint64_t epoch = cast_.epoch;
  const auto set = [&](TaskState state, RunEnd end) {
    record_words_.word[index].set(layout::task_word(epoch, state, end));
    record_words_.tally[index].set(layout::tally_word(layout::epoch_add(epoch, layout::kEpochMask), {}));
    if (state == TaskState::free) return (void)free_.push(index);
    first_[index] = books_.at(index).id =
        layout::task_id(layout::epoch_add(epoch, layout::kEpochMask), index);
    record_words_.id[index].set(first_[index]);
    if (end == RunEnd::failure) books_.at(index).ends[static_cast<std::size_t>(end)] = 1;
    books_.at(index).done = state == TaskState::done;
    if (state == TaskState::ready) (void)ready_.push(index);
  };
  switch (cast_.records[index]) {
    case Init::ready:
      return set(TaskState::ready, RunEnd::none);
    case Init::failed:
      return set(TaskState::ready, RunEnd::failure);
    case Init::dead:
      return set(TaskState::dead, RunEnd::failure);
    case Init::done:
      return set(TaskState::done, RunEnd::done);
    default:
      return set(TaskState::free, RunEnd::none);
  }
}

void TaskScenario::changed(const Proxy& proxy, std::uint64_t from, std::uint64_t to) {
  const unsigned i = proxy.index();
  switch (proxy.role()) {
    case Role::head:
    case Role::tail:
      sim::require(free_words_.in_order() && ready_words_.in_order(),
                   "tail lies behind head, or more than a lap ahead");
      break;
    case Role::word:
      books_.change(i, from, to);
      [[fallthrough]];
    case Role::tally:
      books_.audit(i, record_words_.word[i].peek(), record_words_.tally[i].peek());
      break;
    default:
      break;
  }
}

// ---- src/objects/task_upkeep.cpp

void TaskScenario::hint(Ring& ring, std::uint32_t index) {
  const HintStatus status = ring.push(index);
  sim::require(status != HintStatus::corrupt, "the ring says corrupt");
  if (status != HintStatus::ok) record_words_.lost.store(1, std::memory_order_release);
}

bool TaskScenario::pop(Ring& ring, std::uint32_t& index) {
  const HintStatus status = ring.pop(index);
  sim::require(status != HintStatus::corrupt && (status != HintStatus::ok || index < records_),
               "the ring says corrupt");
  return status == HintStatus::ok;
}

void TaskScenario::restore_hints() {
  std::array<bool, records_max> free{}, ready{};
  std::array<TaskState, records_max> states{};
  const auto look_at_rings = [&] {
    free_.for_each([&](std::uint32_t index) { free[index] = true; });
    ready_.for_each([&](std::uint32_t index) { ready[index] = true; });
  };
  const auto look_at_records = [&] {
    for (unsigned i = 0; i < records_; ++i) states[i] = layout::task_state(words_.look(i));
  };
  if (flaw == Flaw::records_before_rings) look_at_records();
  look_at_rings();
  for (unsigned i = 0; i < records_; ++i) {
    if (flaw != Flaw::records_before_rings) states[i] = layout::task_state(words_.look(i));
    if (states[i] == TaskState::free && !free[i]) hint(free_, i);
    if (states[i] == TaskState::ready && !ready[i]) hint(ready_, i);
  }
}

bool TaskScenario::restore_lost() {
  if (record_words_.lost.load(std::memory_order_acquire) == 0) return false;
  if (record_words_.lost.exchange(0, std::memory_order_acq_rel) == 0) return false;
  restore_hints();
  return true;
}

TaskState TaskScenario::after_run(std::uint32_t index, RunEnd end) {
  const layout::Tally tally = Words::with(words_.tally(index), end);
  if (end == RunEnd::done) return TaskState::done;
  if (end == RunEnd::failure && tally.failures > cast_.failures_max) return TaskState::dead;
  if (end == RunEnd::crash && tally.crashes > cast_.crashes_max) return TaskState::dead;
  return TaskState::ready;
}

void TaskScenario::clear_away(const Lease& lease) {
  if (words_.look(lease.index) != lease.word) return;
  if (flaw == Flaw::announce_before_word) hint(free_, lease.index);
  if (words_.free(lease) && flaw != Flaw::announce_before_word) hint(free_, lease.index);
}

// ---- src/objects/task_table.cpp, task_worker.cpp

bool TaskScenario::allocate(unsigned thread, Lease& lease) {
  for (std::uint32_t index = 0;;) {
    if (pop(free_, index)) {
      if (words_.allocate(index, owner(thread), lease)) return true;
    } else if (!restore_lost()) {
      return false;
    }
  }
}

bool TaskScenario::claim(unsigned thread, Lease& lease) {
  for (std::uint32_t index = 0;;) {
    if (pop(ready_, index)) {
      mine().uncounted = flaw == Flaw::count_after_claim;
      const bool claimed = words_.claim(index, owner(thread), lease);
      mine().uncounted = false;
      if (claimed) return true;
    } else if (!restore_lost()) {
      return false;
    }
  }
}

void TaskScenario::submit(unsigned thread) {
  Lease lease;
  if (!allocate(thread, lease)) return;
  record_words_.id[lease.index].store(layout::task_id(lease.epoch(), lease.index), std::memory_order_relaxed);
  words_.clear_tally(lease);
  if (flaw == Flaw::announce_before_word) hint(ready_, lease.index);
  words_.publish(lease, TaskState::ready);
  if (flaw != Flaw::announce_before_word) hint(ready_, lease.index);
}

void TaskScenario::work(Lease lease, RunEnd end) {
  if (!words_.start(lease)) return;
  const TaskState to = after_run(lease.index, end);
  if (flaw == Flaw::announce_before_word && to == TaskState::ready) hint(ready_, lease.index);
  if (!words_.settle(lease, end, to)) return;
  if (flaw != Flaw::announce_before_word && to == TaskState::ready) hint(ready_, lease.index);
}

void TaskScenario::take_over(unsigned thread) {
  for (unsigned i = 0; i < records_; ++i) {
    const std::uint64_t word = words_.look(i);
    if (layout::task_state(word) != TaskState::claimed || layout::owner_of(word) == owner(thread).id)
      continue;
    Lease lease;
    if (words_.steal(i, word, owner(thread), lease)) return work(lease, RunEnd::done);
  }
}

bool TaskScenario::find(std::uint64_t id, std::uint32_t index, std::uint64_t& word) {
  word = words_.look(index);
  const TaskState state = layout::task_state(word);
  if (state == TaskState::free || state == TaskState::alloc) return false;
  return record_words_.id[index].load(std::memory_order_acquire) == id;
}

void TaskScenario::cancel(unsigned thread) {
  std::uint64_t word = 0;
  for (unsigned look = 0; look < kLooksMax && find(first_[0], 0, word); ++look) {
    const TaskState state = layout::task_state(word);
    if (state == TaskState::claimed) {
      Lease lease;
      if (words_.steal(0, word, owner(thread), lease) && words_.unclaim(lease)) hint(ready_, 0);
    } else if (state != TaskState::ready || words_.move(0, word, TaskState::cancelled)) {
      return;
    }
  }
}

void TaskScenario::remove(unsigned thread) {
  std::uint64_t word = 0;
  for (unsigned look = 0; look < kLooksMax && find(first_[0], 0, word); ++look) {
    if (layout::is_owned(layout::task_state(word))) return;
    Lease lease;
    if (words_.seize(0, word, owner(thread), lease)) return clear_away(lease);
  }
}

void TaskScenario::kick(unsigned /*thread*/) {
  std::uint64_t word = 0;
  for (unsigned look = 0; look < kLooksMax && find(first_[0], 0, word); ++look) {
    if (layout::task_state(word) != TaskState::dead) return;
    mine().uncounted = flaw == Flaw::count_after_revival;
    const bool revived = words_.revive(0, word);
    mine().uncounted = false;
    if (revived) return hint(ready_, 0);
  }
}

// ---- src/objects/task_object.cpp

void TaskScenario::sweep(unsigned thread, unsigned dead) {
  if (flaw == Flaw::restore_before_words) restore_hints();
  for (unsigned i = 0; i < records_; ++i) {
    const std::uint64_t word = words_.look(i);
    const TaskState state = layout::task_state(word);
    if (!layout::is_owned(state) || layout::owner_of(word) != owner(dead).id) continue;
    Lease lease{i, word};
    if (state == TaskState::alloc) {
      if (words_.inherit(i, word, owner(thread), lease)) clear_away(lease);
    } else if (state == TaskState::claimed) {
      (void)words_.unclaim(lease);
    } else {
      (void)words_.settle(lease, RunEnd::crash, after_run(i, RunEnd::crash));
    }
  }
  if (flaw != Flaw::restore_before_words && flaw != Flaw::nothing_restored) restore_hints();
  books_.has_swept(dead);
}

void TaskScenario::reap(unsigned thread) {
  for (unsigned mended = 0;;) {
    of[thread] = {};
    sim::local_state(mended);
    bool ended = true, did = false;
    for (unsigned i = 0; i < threads_; ++i) {
      if (i == thread || (mended >> i & 1) != 0) continue;
      ended &= cast_.parts[i] == Part::reaper || sim::ended_now(i);
      if (!sim::crashed_now(i)) continue;
      ended = false;
      if (!sim::dead(i)) continue;
      sweep(thread, i);
      mended |= 1u << i;
      did = true;
    }
    if (did) continue;
    if (ended) return;
    sim::pause();
  }
}

// ---- the threads

void TaskScenario::act(unsigned thread, unsigned round) {
  Lease lease;
  switch (cast_.parts[thread]) {
    case Part::submitter:
      return submit(thread);
    case Part::worker:
      if (claim(thread, lease)) work(lease, RunEnd::done);
      return;
    case Part::failing:
      if (claim(thread, lease)) work(lease, round % 2 == 0 ? RunEnd::failure : RunEnd::release);
      return;
    case Part::giver:
      if (claim(thread, lease) && words_.unclaim(lease)) hint(ready_, lease.index);
      return;
    case Part::thief:
      return take_over(thread);
    case Part::idler:
      return restore_hints();
    case Part::canceller:
    case Part::remover:
    case Part::kicker:
      books_.asks(thread, first_[0]);
      if (cast_.parts[thread] == Part::canceller) cancel(thread);
      if (cast_.parts[thread] == Part::remover) remove(thread);
      if (cast_.parts[thread] == Part::kicker) kick(thread);
      return;
    default:
      return;
  }
}

void TaskScenario::run(unsigned thread) {
  if (cast_.parts[thread] == Part::reaper) {
    reap(thread);
  } else {
    for (unsigned round = 0; round < cast_.rounds; ++round) {
      of[thread] = {};
      sim::local_state(round);
      act(thread, round);
    }
  }
  of[thread] = {};
  sim::local_state(~0ull);
}

bool TaskScenario::hinted_at(const RingWords& ring, std::uint32_t index) const {
  return ring.names(index) || record_words_.lost.peek() != 0;
}

// Once the dead are swept every record has somebody who may take it, and whoever is left completes every
// task.
void TaskScenario::check() {
  const unsigned last = sim::threads_max;
  for (unsigned i = 0; i < threads_; ++i)
    if (sim::crashed_now(i) && !books_.swept(i)) sweep(last, i);
  for (unsigned i = 0; i < records_; ++i) {
    const TaskState state = layout::task_state(words_.look(i));
    sim::require(!layout::is_owned(state), "a record is in the hands of nobody who lives");
    sim::require(state != TaskState::ready || hinted_at(ready_words_, i),
                 "a task is ready, and nobody will find it");
    sim::require(state != TaskState::free || hinted_at(free_words_, i),
                 "a record is free, and nobody will find it");
  }
  for (Lease lease; claim(last, lease);) work(lease, RunEnd::done);
  for (unsigned i = 0; i < records_; ++i) {
    const std::uint64_t word = words_.look(i);
    const TaskState state = layout::task_state(word);
    sim::require(state != TaskState::ready, "a task is ready, and nobody finds it");
    sim::require((state == TaskState::done) == (books_.at(i).done == 1) || state == TaskState::free,
                 "a task was completed, and is not done");
    Lease lease;
    if (state != TaskState::free && words_.seize(i, word, owner(last), lease)) clear_away(lease);
  }
  unsigned found = 0;
  for (Lease lease; found <= records_ && allocate(last, lease);) ++found;
  sim::require(found == records_, "a record is free, and nobody finds it");
}

std::uint64_t TaskScenario::shadow() const {
  std::uint64_t hash = books_.hash();
  if (flaw == Flaw::none) return hash;  // else what the proxies remember changes what they do
  for (unsigned i = 0; i < threads_; ++i)
    if (!sim::World::current().crashed(i)) hash = sim::mix(hash, of[i].hash());
  return hash;
}

std::string TaskScenario::name(unsigned thread) const {
  constexpr std::array names{"nobody",    "submitter", "worker", "failing worker", "giver", "thief",
                             "canceller", "remover",   "kicker", "idler",          "reaper"};
  return std::string(names[static_cast<std::size_t>(cast_.parts[thread])]) + ' ' + std::to_string(thread);
}

}  // namespace task_test
