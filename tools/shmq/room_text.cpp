#include "room_text.hpp"

#include <array>
#include <cstdint>

namespace shmq::cli {

std::string no_room_text(const TaskTable& table, const std::string& address, Outcome why) {
  std::array<std::uint64_t, 13> counts{};
  table.for_each([&](const TaskInfo& info) {
    if (const auto state = static_cast<std::size_t>(info.state); state < counts.size()) ++counts[state];
  });
  const auto in = [&](TaskState state) { return counts[static_cast<std::size_t>(state)]; };
  std::string text = why == Outcome::full ? "the table is full: " : "no block of the segment is free for this payload; in the table: ";
  bool first = true;
  for (const TaskState state : {TaskState::done, TaskState::dead, TaskState::cancelled, TaskState::expired, TaskState::running,
                                TaskState::claimed, TaskState::ready, TaskState::delayed, TaskState::waiting, TaskState::held}) {
    if (in(state) == 0) continue;
    text += (first ? "" : ", ") + std::to_string(in(state)) + " " + to_string(state);
    first = false;
  }
  if (first) text += "no task";
  text += "; waiting for room. ";
  const std::uint64_t purgeable = in(TaskState::done) + in(TaskState::cancelled) + in(TaskState::expired);
  if (purgeable + in(TaskState::dead) == 0)
    return text + "There is some when tasks get done: shmq work " + address + " runs them";
  text += "Tasks that are over stay until they are removed: shmq task " + address + " purge" +
          (purgeable == 0 ? " --state dead" : "") + " removes them; so that it does not fill again: submit --forget, or shmq table " +
          address + " --keep-max N";
  return text;
}

}  // namespace shmq::cli
