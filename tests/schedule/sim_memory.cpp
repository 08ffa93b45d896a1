// The memory model of sim_world.hpp: store buffers, visibility, stale loads.

#include <algorithm>

#include "sim.hpp"
#include "sim_hash.hpp"
#include "sim_world.hpp"

namespace sim {
namespace {
bool releases(Order order) {
  return order == Order::release || order == Order::acq_rel || order == Order::seq_cst;
}
bool acquires(Order order) {
  return order == Order::acquire || order == Order::acq_rel || order == Order::seq_cst;
}
}  // namespace

void World::add(Cell& cell) {
  cell.id = ++cell_count_;
  memory_hash_ ^= mix(cell.id, cell.value);
}

bool World::precedes(const Held& earlier, const Held& later) {
  return earlier.cell == later.cell || later.release || earlier.epoch != later.epoch;
}

bool World::can_flush(const Thread& thread, unsigned entry) const {
  for (unsigned i = 0; i < entry; ++i) {
    if (precedes(thread.held[i], thread.held[entry])) return false;
  }
  return true;
}

void World::flush(unsigned thread, unsigned entry) {
  Thread& owner = threads_[thread];
  const Held held = owner.held[entry];
  if (recording_ && held.aged) record_thread(thread, "is seen to store " + describe(*held.cell, held.value));
  std::copy(owner.held.begin() + entry + 1, owner.held.begin() + owner.held_count,
            owner.held.begin() + entry);
  --owner.held_count;
  commit(thread, *held.cell, held.value);
  // Its death may be known from now on.
  if (owner.held_count == 0 && owner.status == Status::crashed) news_ = ~0u;
}

void World::flush_with_predecessors(unsigned thread, unsigned entry) {
  Thread& owner = threads_[thread];
  const Held wanted = owner.held[entry];
  for (unsigned i = 0; i < entry;) {
    if (precedes(owner.held[i], wanted)) {
      const unsigned before = owner.held_count;
      flush_with_predecessors(thread, i);
      entry -= before - owner.held_count;
      i = 0;
    } else {
      ++i;
    }
  }
  flush(thread, entry);
}

void World::drain(unsigned thread) {
  while (threads_[thread].held_count > 0) flush(thread, 0);  // program order never breaks a constraint
}

void World::commit(unsigned thread, Cell& cell, std::uint64_t value) {
  if (bounds_.stale > 0 && thread != nobody) {  // what was there before the threads began is nobody's past
    cell.past[cell.pasts++ % cell.past.size()] = {cell.value, cell.since, ++clock_};
    cell.since = clock_;
    cell.seen[thread] = clock_;
  }
  if (cell.value == value) return;  // nobody who looks again would see anything new
  memory_hash_ ^= mix(cell.id, cell.value) ^ mix(cell.id, value);
  cell.value = value;
  news_ |= thread == nobody ? ~0u : ~(1u << thread);
  if (thread != nobody) scenario_->observe();
}

bool World::newest_held(const Thread& thread, const Cell& cell, std::uint64_t& value) const {
  for (unsigned i = thread.held_count; i-- > 0;) {
    if (thread.held[i].cell != &cell) continue;
    value = thread.held[i].value;
    return true;
  }
  return false;
}

std::uint64_t World::read_memory(Cell& cell, Order order, bool may_be_stale) {
  Thread& me = threads_[running_];
  std::uint64_t value = cell.value;
  if (newest_held(me, cell, value)) return value;
  std::uint32_t since = cell.since;
  if (bounds_.stale > 0) {
    if (may_be_stale && left_.stale > 0 && order != Order::seq_cst) {
      const std::uint32_t oldest = std::max(me.floor, cell.seen[running_]);
      unsigned candidates = 0;
      const auto kept = std::min<std::uint32_t>(cell.pasts, static_cast<std::uint32_t>(cell.past.size()));
      while (candidates < kept && cell.past[(cell.pasts - 1 - candidates) % cell.past.size()].until > oldest)
        ++candidates;
      const unsigned back = choose_value(candidates + 1);
      if (back > 0) {
        const Cell::Past& past = cell.past[(cell.pasts - back) % cell.past.size()];
        spend(left_.stale, bounds_.stale);
        news_ |= 1u << running_;  // no load stays behind for ever: worth looking again
        value = past.value;
        since = past.since;
      }
    }
    cell.seen[running_] = std::max(cell.seen[running_], since);
    me.fence_floor = std::max(me.fence_floor, since);
    if (acquires(order)) me.floor = std::max(me.floor, since);
  }
  return value;
}

std::uint64_t World::load(Cell& cell, Order order) {
  if (!on_fiber()) return cell.value;
  point(Op::read, &cell);
  Thread& me = threads_[running_];
  if (order == Order::seq_cst) {
    for (unsigned i = me.held_count; i-- > 0;) {
      if (!me.held[i].seq_cst) continue;
      flush_with_predecessors(running_, i);
      break;
    }
  }
  const std::uint64_t value = read_memory(cell, order, true);
  observe(value);
  record("reads", &cell, value);
  return value;
}

void World::store(Cell& cell, std::uint64_t value, Order order) {
  if (!on_fiber()) return commit(nobody, cell, value);
  point(Op::write, &cell);
  Thread& me = threads_[running_];
  record("stores", &cell, value);
  if (me.held_count == held_max) flush(running_, 0);
  me.held[me.held_count++] = {&cell, value, me.epoch, releases(order), order == Order::seq_cst, false};
  if (left_.delays > 0 && choose_value(2) == 1) {
    spend(left_.delays, bounds_.delays);
    if (recording_) record_thread(running_, "... held back");
  } else {
    flush_with_predecessors(running_, me.held_count - 1u);
  }
}

void World::before_modify(Cell& cell, Order order) {
  Thread& me = threads_[running_];
  if (releases(order)) return drain(running_);
  for (unsigned i = me.held_count; i-- > 0;) {
    if (me.held[i].cell == &cell || me.held[i].epoch != me.epoch) {
      flush_with_predecessors(running_, i);
      i = me.held_count;
    }
  }
}

void World::after_modify(Cell& cell, Order order) {
  if (bounds_.stale == 0) return;
  Thread& me = threads_[running_];
  // The value it read was written when the value before the newest began.
  const std::uint32_t read_since = cell.past[(cell.pasts - 1) % cell.past.size()].since;
  me.fence_floor = std::max(me.fence_floor, read_since);
  if (acquires(order)) me.floor = std::max(me.floor, read_since);
}

void World::fence(Order order) {
  if (!on_fiber()) return;
  point(Op::fence, nullptr);
  Thread& me = threads_[running_];
  if (order == Order::seq_cst) {
    drain(running_);
    me.floor = clock_;
  } else {
    if (releases(order) && me.held_count > 0) ++me.epoch;
    if (acquires(order)) me.floor = std::max(me.floor, me.fence_floor);
  }
  record("fence", nullptr, static_cast<std::uint64_t>(order));
}

void World::barrier_everywhere() {
  if (!on_fiber()) return;
  point(Op::fence, nullptr);
  for (unsigned i = 0; i < thread_count_; ++i) {
    drain(i);
    threads_[i].floor = clock_;
  }
  record("membarrier", nullptr, 0);
}

}  // namespace sim
