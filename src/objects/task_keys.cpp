#include "objects/task_keys.hpp"

#include <algorithm>

#include "objects/task_upkeep.hpp"
#include "shmq/base/clock.hpp"
#include "shmq/base/fence.hpp"

namespace shmq::objects {

using core::KeyStatus;
using layout::TaskState;

/// The records as core::judge_key() asks them.
struct KeyRecords {
  const core::TaskTableParts& parts;
  const layout::PackedKey& key;

  std::uint32_t flags(std::uint32_t i) const { return parts.record(i).flags.load(std::memory_order_relaxed); }
  std::uint32_t capacity() const { return parts.capacity; }
  layout::Word& id(std::uint32_t i) const { return parts.record(i).id; }
  layout::Word& tally(std::uint32_t i) const { return parts.record(i).tally; }
  KeyScope key_scope(std::uint32_t i) const {
    const std::uint32_t bits = flags(i);
    if (bits & layout::kTaskKeyForTime) return KeyScope::for_time;
    return bits & layout::kTaskKeyUntilStarted ? KeyScope::until_started : KeyScope::until_done;
  }
  bool key_timed_out(std::uint32_t i) const {
    const auto until = static_cast<std::int64_t>(parts.body(i).key_until_ns.load(std::memory_order_relaxed));
    base::fence(std::memory_order_acquire);
    return base::clock_ns(CLOCK_BOOTTIME) >= until;
  }
  bool key_is_asked(std::uint32_t i) const {
    const bool same = (flags(i) & layout::kTaskKeyed) != 0 && key.is_in(parts.body(i).key);
    base::fence(std::memory_order_acquire);
    return same;
  }
  void publish(const core::Lease& lease) const {
    const std::uint32_t bits = flags(lease.index);
    const TaskState state = bits & layout::kTaskBornHeld      ? TaskState::held
                            : bits & layout::kTaskBornDelayed ? TaskState::delayed
                                                              : TaskState::ready;
    core::ShmTaskWords words = parts.words;
    if (words.publish(lease, state)) announce_submitted(parts, lease.index, state);
  }
};

bool has_key(const core::TaskTableParts& parts, std::uint32_t index, std::uint64_t word) {
  const layout::PackedKey none("");
  const KeyRecords records{parts, none};
  const TaskState state = layout::task_state(word);
  if (state == TaskState::free || state == TaskState::alloc || !(records.flags(index) & layout::kTaskKeyed)) return false;
  const bool live = core::key_is_live(records, index, records.id(index).load(std::memory_order_relaxed), word);
  base::fence(std::memory_order_acquire);
  return live && parts.words.look(index) == word;
}

core::KeyVerdict KeyedTask::judge(std::uint64_t reference) {
  return core::judge_key(parts_.words, KeyRecords{parts_, key_}, reference, found_);
}

KeyStatus KeyedTask::find() {
  core::ShmKeyIndex index = parts_.key_index;
  return index.find(hash_, [this](std::uint64_t reference) { return judge(reference); });
}

KeyStatus KeyedTask::insert(TaskId id) {
  core::ShmKeyIndex index = parts_.key_index;
  return index.insert(hash_, layout::key_reference(id), [this](std::uint64_t reference) { return judge(reference); });
}

std::uint32_t KeyedTask::write(layout::TaskBody& body, const TaskOptions& options, TaskState to) const {
  key_.store(body.key);
  std::uint32_t flags = layout::kTaskKeyed;
  if (to == TaskState::held) flags |= layout::kTaskBornHeld;
  if (to == TaskState::delayed) flags |= layout::kTaskBornDelayed;
  if (options.key_scope == KeyScope::until_started) flags |= layout::kTaskKeyUntilStarted;
  if (options.key_scope == KeyScope::for_time) {
    const std::int64_t now = base::clock_ns(CLOCK_BOOTTIME);
    const std::int64_t time = std::clamp<std::int64_t>(options.key_time.count(), 0, INT64_MAX - now);
    body.key_until_ns.store(static_cast<std::uint64_t>(now + time), std::memory_order_relaxed);
    flags |= layout::kTaskKeyForTime;
  }
  return flags;
}

Outcome KeyedTask::answer(KeyStatus status, Submitted& submitted) const {
  if (status == KeyStatus::full) return Outcome::full;
  if (status != KeyStatus::duplicate) return Outcome::corrupt;
  submitted.id = found_;
  submitted.duplicate = true;
  return Outcome::ok;
}

}  // namespace shmq::objects
