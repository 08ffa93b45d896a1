#include "objects/task_errors.hpp"

#include <algorithm>

#include "shmq/base/clock.hpp"
#include "shmq/base/fence.hpp"

namespace shmq::objects {

void note_error(const core::TaskTableParts& parts, const core::Lease& lease, const RunError& error) {
  if (parts.errors_kept == 0) return;
  const std::uint32_t number = parts.words.tally(lease.index).total() + 1;
  layout::TaskError& slot = parts.errors(lease.index)[(number - 1) % parts.errors_kept];
  if (parts.words.look(lease.index) != lease.word) return;
  slot.what.store(0, std::memory_order_release);
  slot.number.store(number, std::memory_order_relaxed);
  slot.ended_real_ns.store(static_cast<std::uint64_t>(base::realtime_ns()), std::memory_order_relaxed);
  slot.text.set(error.text);
  const std::uint32_t what = static_cast<std::uint32_t>(error.end) | (error.signal & 0xff) << 8 | (error.core_dumped ? 1u << 16 : 0);
  slot.what.store(layout::of_run(lease.epoch(), what), std::memory_order_release);
}

std::vector<TaskErrorInfo> errors_of(const core::TaskTableParts& parts, std::uint32_t index) {
  std::vector<TaskErrorInfo> errors;
  const std::uint64_t submitted = parts.record(index).id.load(std::memory_order_relaxed) >> 24;
  const std::uint64_t now = layout::word_epoch(parts.words.look(index));
  for (const layout::TaskError& slot : parts.errors(index)) {
    const std::uint64_t what = slot.what.load(std::memory_order_acquire);
    if (what == 0 || layout::run_of(what) <= submitted || layout::run_of(what) > now) continue;  // of an earlier task
    TaskErrorInfo error;
    error.end = static_cast<layout::RunEnd>(what & 0xff);
    error.signal = static_cast<unsigned>(what >> 8 & 0xff);
    error.core_dumped = (what >> 16 & 1) != 0;
    error.run = static_cast<std::uint32_t>(slot.number.load(std::memory_order_relaxed));
    error.at_real_ns = static_cast<std::int64_t>(slot.ended_real_ns.load(std::memory_order_relaxed));
    error.text = slot.text.get();
    base::fence(std::memory_order_acquire);
    if (slot.what.load(std::memory_order_relaxed) == what) errors.push_back(std::move(error));
  }
  std::sort(errors.begin(), errors.end(), [](const auto& a, const auto& b) { return a.run < b.run; });
  return errors;
}

}  // namespace shmq::objects
