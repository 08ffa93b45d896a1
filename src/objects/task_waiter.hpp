// How a worker waits for a task: as objects/waiter.hpp says, and one of those that sleep keeps the time.
#pragma once

#include <algorithm>
#include <cstdint>

#include "objects/task_times.hpp"
#include "objects/waiter.hpp"
#include "shmq/core/task_table_handle.hpp"

namespace shmq::objects {

/// The timekeeper sleeps until the least of all times, and no longer; the others would wake for nothing. Which of them it
/// is says a word of the table; the reaper takes it from a dead one. It may be stopped, too: whoever waits for the table
/// looks at the times once a slice, so that nothing is late by more than that.
class WorkerPlace {
 public:
  explicit WorkerPlace(core::TaskTableHandle& table) : table_(table) {}
  WorkerPlace(const WorkerPlace&) = delete;
  WorkerPlace& operator=(const WorkerPlace&) = delete;
  ~WorkerPlace() {
    if (!keeps_time_ || table_.attachment->detached()) return;
    std::uint64_t mine = my_word();
    header().timekeeper.compare_exchange_strong(mine, 0, std::memory_order_seq_cst);
    // Somebody else is to sleep until then.
    if (table_.parts.due.least() != core::kNoKey) core::notify(header().ready_event);
  }

  bool detached() const { return table_.attachment->detached(); }
  std::uint32_t turns() const { return kTurns; }
  void keep_house(std::int64_t now_ns) { housekeeping(*table_.attachment, now_ns); }
  core::EventWord& choose() { return header().ready_event; }
  void prepare() { expected_ = core::prepare_sleep(header().ready_event); }
  void sleep(std::int64_t timeout_ns) {
    const std::uint64_t due = table_.parts.due.least();
    if (due != core::kNoKey && (keeps_time_ || take_office())) {
      // Unsigned: in a damaged tree any time may stand.
      const auto now_ns = static_cast<std::uint64_t>(base::clock_ns(CLOCK_BOOTTIME));
      const std::uint64_t left_ns = due <= now_ns ? 0 : due - now_ns;
      if (left_ns < static_cast<std::uint64_t>(std::max<std::int64_t>(timeout_ns, 0)))
        timeout_ns = static_cast<std::int64_t>(left_ns);
      if (timeout_ns <= 0) return;
    }
    os::futex_wait(header().ready_event, expected_, timeout_ns);
  }

 private:
  layout::TaskTableHeader& header() const { return *table_.parts.header; }
  std::uint64_t my_word() const { return layout::owned_task(0, table_.me(), layout::TaskState::claimed); }
  bool take_office() {
    std::uint64_t nobody = 0;
    return keeps_time_ = header().timekeeper.compare_exchange_strong(nobody, my_word(), std::memory_order_seq_cst);
  }

  core::TaskTableHandle& table_;
  std::uint32_t expected_ = 0;
  bool keeps_time_ = false;
};

}  // namespace shmq::objects
