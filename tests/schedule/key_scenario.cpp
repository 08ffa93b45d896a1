#include "key_scenario.hpp"

#include <cstring>

namespace key_test {

namespace layout = shmq::layout;
using layout::KeyScope;
using layout::RunEnd;
using layout::TaskState;
using shmq::core::KeyStatus;
using shmq::core::KeyVerdict;

struct KeyScenario::Records {
  KeyScenario* self;
  std::uint64_t key;
  std::uint32_t capacity() const { return self->cast_.records; }
  Proxy& id(std::uint32_t i) const { return self->words_.id[i]; }
  Proxy& tally(std::uint32_t i) const { return self->words_.tally[i]; }
  KeyScope key_scope(std::uint32_t /*i*/) const { return self->cast_.scope; }
  bool key_timed_out(std::uint32_t /*i*/) const { return false; }
  bool key_is_asked(std::uint32_t i) const {
    return self->words_.key[i].load(std::memory_order_acquire) == key;
  }
  void publish(const Lease& lease) const { self->records_.publish(lease, TaskState::ready); }
};

KeyScenario::KeyScenario(const KeyCast& cast)
    : Listener(Flaw::none),
      cast_(cast),
      words_(*this, cast.cells),
      index_(SimKeyMemory(&words_)),
      records_(SimKeyMemory(&words_)) {
  while (threads_ < cast.scripts.size() && cast.scripts[threads_] != nullptr) ++threads_;
  for (unsigned i = 0; i < cast.records; ++i)
    words_.word[i].set(layout::task_word(layout::epoch_add(cast.epoch, layout::kEpochMask), TaskState::free));
  for (const char* key = cast.there; *key != '\0'; ++key) (void)submit(sim::threads_max, *key - '0');
  flaw = cast.flaw;
}

// ---- the oracle

KeyScenario::Task* KeyScenario::task_of(unsigned index) {
  for (unsigned i = count_; i-- > 0;)
    if (layout::task_index(tasks_[i].id) == index) return &tasks_[i];
  return nullptr;
}

bool KeyScenario::is_full() const {
  const std::uint64_t control = words_.control.peek();
  for (unsigned i = 0; i < cast_.cells; ++i) {
    std::uint64_t cell = words_.cell[i].peek();
    if (layout::is_key_pending(control) && layout::key_pending_cell(control) == i) cell = control;
    if (cell == 0) return false;
    const std::uint64_t reference = layout::key_cell_reference(cell);
    const std::uint64_t word = words_.word[layout::key_index_of(reference)].peek();
    bool taken = layout::task_state(word) == TaskState::alloc &&
                 layout::key_epoch_is(reference, layout::word_epoch(word));
    for (unsigned t = 0; t < count_; ++t)
      taken |= tasks_[t].live && layout::key_reference(tasks_[t].id) == reference;
    if (!taken) return false;
  }
  return true;
}

void KeyScenario::look() {
  if (is_full()) was_full_ = ~0u;
}

void KeyScenario::changed(const Proxy& proxy, std::uint64_t from, std::uint64_t to) {
  const unsigned i = proxy.index();
  if (proxy.role() == Role::word) word_changed(i, from, to);
  if (proxy.role() == Role::word || proxy.role() == Role::cell || proxy.role() == Role::control)
    return look();
  if (proxy.role() == Role::tally) return;
  const TaskState state = layout::task_state(words_.word[i].peek());
  if (proxy.role() == Role::payload || proxy.role() == Role::key || proxy.role() == Role::id)
    sim::require(state == TaskState::alloc,
                 "a task that is there was written over, or its payload given back");
}

void KeyScenario::word_changed(unsigned index, std::uint64_t from, std::uint64_t to) {
  const TaskState was = layout::task_state(from), is = layout::task_state(to);
  if (was == TaskState::alloc && is == TaskState::ready) {
    const std::uint64_t id = layout::task_id(layout::word_epoch(to), index);
    const std::uint64_t key = words_.key[index].peek();
    sim::require(words_.id[index].peek() == id && words_.payload[index].peek() == id && key != 0,
                 "a task was published that was not written yet, or not any more");
    if (count_ == tasks_max) return sim::fail("more tasks than the books have room for");
    for (unsigned i = 0; i < count_; ++i)
      sim::require(!tasks_[i].live || tasks_[i].key != key, "two tasks with the same key");
    tasks_[count_] = {id, key, true};
    for (std::uint32_t& during : during_) during |= 1u << count_;
    ++count_;
    return;
  }
  if (Task* const task = task_of(index); task != nullptr && task->live) {
    const bool over = is == TaskState::cancelled;
    const bool started = is == TaskState::running && cast_.scope == KeyScope::until_started;
    if (over || started) task->live = false;
  }
}

// ---- src/objects/task_table.cpp

bool KeyScenario::allocate(unsigned thread, Lease& lease) {
  for (unsigned i = 0; i < cast_.records; ++i)
    if (records_.allocate(i, owner(thread), lease)) return true;
  return false;
}

void KeyScenario::write(const Lease& lease, std::uint64_t key) {
  const std::uint64_t id = layout::task_id(lease.epoch(), lease.index);
  words_.id[lease.index].store(id, std::memory_order_relaxed);
  words_.key[lease.index].store(key, std::memory_order_relaxed);
  words_.payload[lease.index].store(id, std::memory_order_relaxed);
  records_.clear_tally(lease);
}

KeyScenario::Answer KeyScenario::place(unsigned thread, std::uint64_t key) {
  Answer answer;
  const auto judge = [&](std::uint64_t reference) {
    return shmq::core::judge_key(records_, Records{this, key}, reference, answer.id);
  };
  if (cast_.looks_first) {
    answer.status = index_.find(0, judge);
    if (answer.status != KeyStatus::absent) return answer;
  }
  Lease lease;
  if (!allocate(thread, lease)) return answer;
  const std::uint64_t id = layout::task_id(lease.epoch(), lease.index);
  if (flaw != Flaw::written_after_insertion) write(lease, key);
  if (flaw == Flaw::published_before_insertion) records_.publish(lease, TaskState::ready);
  answer.status = index_.insert(0, layout::key_reference(id), judge);
  if (answer.status != KeyStatus::inserted) {
    clear_away(lease);
    return answer;
  }
  if (flaw == Flaw::written_after_insertion) write(lease, key);
  records_.publish(lease, TaskState::ready);
  answer.id = id;
  return answer;
}

KeyScenario::Answer KeyScenario::submit(unsigned thread, std::uint64_t key) {
  during_[thread] = 0;
  for (unsigned i = 0; i < count_; ++i) during_[thread] |= std::uint32_t{tasks_[i].live} << i;
  was_full_ &= ~(1u << thread);
  look();
  const Answer answer = place(thread, key);
  sim::require(answer.status != KeyStatus::corrupt, "the index says corrupt");
  sim::require(answer.status != KeyStatus::full || (was_full_ >> thread & 1) != 0,
               "full, and there was room all the while");
  if (answer.status == KeyStatus::inserted || answer.status == KeyStatus::duplicate) {
    bool found = false;
    for (unsigned i = 0; i < count_; ++i)
      found |= (during_[thread] >> i & 1) != 0 && tasks_[i].id == answer.id && tasks_[i].key == key;
    sim::require(found, "an answer that names no task with this key that was there");
  }
  return answer;
}

/// Of a task that is over, or was not submitted after all.
void KeyScenario::clear_away(const Lease& lease) {
  words_.payload[lease.index].store(0, std::memory_order_relaxed);
  (void)records_.free(lease);
}

void KeyScenario::end(unsigned thread) {
  for (unsigned i = 0; i < cast_.records; ++i) {
    std::uint64_t word = records_.look(i);
    if (layout::task_state(word) == TaskState::ready) {
      if (!records_.move(i, word, TaskState::cancelled)) continue;
      word = records_.look(i);
    }
    Lease lease;
    if (layout::task_state(word) != TaskState::cancelled || !records_.seize(i, word, owner(thread), lease))
      continue;
    return clear_away(lease);
  }
}

void KeyScenario::run_one(unsigned thread) {
  for (unsigned i = 0; i < cast_.records; ++i) {
    Lease lease;
    if (!records_.claim(i, owner(thread), lease)) continue;
    if (records_.start(lease)) (void)records_.settle(lease, RunEnd::failure, TaskState::ready);
    return;
  }
}

// ---- src/objects/task_object.cpp

void KeyScenario::sweep(unsigned thread, unsigned dead) {
  for (unsigned i = 0; i < cast_.records; ++i) {
    const std::uint64_t word = records_.look(i);
    const TaskState state = layout::task_state(word);
    if (!layout::is_owned(state) || layout::owner_of(word) != owner(dead).id) continue;
    Lease lease{i, word};
    if (state == TaskState::alloc) {
      if (flaw == Flaw::cleared_in_place || records_.inherit(i, word, owner(thread), lease))
        clear_away(lease);
    } else if (state == TaskState::claimed) {
      (void)records_.unclaim(lease);
    } else {
      (void)records_.settle(lease, RunEnd::crash, TaskState::ready);
    }
  }
}

void KeyScenario::reap(unsigned thread) {
  for (unsigned mended = 0;;) {
    of[thread] = {};
    sim::local_state(mended);
    bool ended = true, did = false;
    for (unsigned i = 0; i < threads_; ++i) {
      if (i == thread || (mended >> i & 1) != 0) continue;
      ended &= *cast_.scripts[i] == 'R' || sim::ended_now(i);
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

void KeyScenario::run(unsigned thread) {
  const char* const script = cast_.scripts[thread];
  if (*script == 'R') {
    reap(thread);
  } else {
    for (unsigned i = 0; script[i] != '\0'; ++i) {
      of[thread] = {};
      during_[thread] = 0;
      was_full_ &= ~(1u << thread);
      sim::local_state(i);
      if (script[i] == 'x')
        end(thread);
      else if (script[i] == 'r')
        run_one(thread);
      else
        (void)submit(thread, script[i] - '0');
    }
  }
  of[thread] = {};
  during_[thread] = 0;
  was_full_ &= ~(1u << thread);
  sim::local_state(~0ull);
}

// Once the dead are swept, a key that is kept has one task, which a second submission names, and every other
// key can be had, once.
void KeyScenario::check() {
  flaw = flaw == Flaw::cleared_in_place ? Flaw::none : flaw;
  const unsigned last = sim::threads_max;
  for (unsigned i = 0; i < threads_; ++i)
    if (sim::crashed_now(i)) sweep(last, i);
  for (unsigned i = 0; i < cast_.records; ++i)
    sim::require(!layout::is_owned(layout::task_state(records_.look(i))),
                 "a record is in the hands of nobody who lives");
  for (unsigned i = 0; i < count_; ++i) {
    of[last] = {};
    if (!tasks_[i].live) continue;
    const Answer answer = submit(last, tasks_[i].key);
    sim::require(answer.status == KeyStatus::absent || answer.status == KeyStatus::full ||
                     (answer.status == KeyStatus::duplicate && answer.id == tasks_[i].id),
                 "a task is not found by its key");
  }
  for (unsigned i = 0; i < cast_.records; ++i) end(last);
  for (std::uint64_t key = 1; key <= 2; ++key) {
    of[last] = {};
    const Answer first = submit(last, key);
    sim::require(first.status == KeyStatus::inserted, "a key is stuck");
    const Answer second = submit(last, key);
    sim::require(second.status == KeyStatus::duplicate && second.id == first.id,
                 "a task is not found by its key");
    end(last);
  }
}

std::uint64_t KeyScenario::shadow() const {
  std::uint64_t hash = count_;
  for (unsigned i = 0; i < count_; ++i)
    hash = sim::mix(sim::mix(hash, tasks_[i].id), tasks_[i].key * 2 + tasks_[i].live);
  for (unsigned i = 0; i < threads_; ++i) {
    if (sim::World::current().crashed(i)) continue;
    hash = sim::mix(hash, during_[i] * 2 + (was_full_ >> i & 1));
    if (flaw != Flaw::none) hash = sim::mix(hash, of[i].hash());
  }
  return hash;
}

std::string KeyScenario::name(unsigned thread) const {
  return std::string(*cast_.scripts[thread] == 'R' ? "reaper " : "process ") + std::to_string(thread) + " (" +
         cast_.scripts[thread] + ")";
}

}  // namespace key_test
