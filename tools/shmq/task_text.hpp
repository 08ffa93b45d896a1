// Tasks in lines for people and in JSON.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "json.hpp"
#include "shmq/inspect.hpp"
#include "shmq/tasks.hpp"

namespace shmq::cli {

/// UsageError where there is no such state.
TaskState parse_state(const std::string& text);
/// UsageError where it cannot be an id.
TaskId parse_task_id(const std::string& text);
/// 0 to 255.
std::uint8_t parse_priority(const std::string& text);

/// "dead after 4 runs (4 failures)": how a task stands that did not get done.
std::string fate_text(const TaskInfo& info);
/// "3 failures, 1 crash"; empty where there were none.
std::string ends_text(const layout::Tally& ended);

/// Who is attached, as it was at one moment.
class People {
 public:
  explicit People(const std::string& segment);
  /// "worker-2" (id 3, pid 77)
  std::string text(std::uint32_t id) const;
  const ParticipantSnapshot* find(std::uint32_t id) const { return segment_.participant(id); }

 private:
  SegmentSnapshot segment_;
};

/// One line, tabs between: id, state, name, runs, payload, what else is to be said.
std::string task_line(const TaskInfo& info, const People& people);
/// What a task is about, and what became of it, as far as they are there.
struct TaskContents {
  std::optional<std::string> payload, result;
};
/// A line for each thing that is known.
std::string task_picture(const TaskInfo& info, const People& people, const TaskContents& contents);
/// The members of one task; with `contents` those as well.
void put_task(stat::Json& json, const TaskInfo& info, const People& people, const TaskContents* contents);

}  // namespace shmq::cli
