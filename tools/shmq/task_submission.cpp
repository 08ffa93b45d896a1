#include "task_submission.hpp"

#include <algorithm>

#include "failure.hpp"
#include "shmq/inspect.hpp"
#include "shmq/layout/name_field.hpp"

namespace shmq::cli {

Submission submission_of(const Arguments& arguments) {
  constexpr std::uint64_t kAttemptsMax = 1000;
  Submission submission;
  submission.name = arguments.get("--name").value_or("");
  constexpr std::size_t kNameMax = sizeof(layout::NameField) - 1;
  if (submission.name.size() > kNameMax)
    throw UsageError{"--name " + submission.name + ": has " + std::to_string(submission.name.size()) +
                     " bytes, and a task's name up to " + std::to_string(kNameMax)};
  TaskOptions& o = submission.options;
  o.failures_max = static_cast<std::uint16_t>(arguments.number("--retries", o.failures_max, 0, kAttemptsMax));
  o.crashes_max = static_cast<std::uint16_t>(arguments.number("--crashes", o.crashes_max, 0, kAttemptsMax));
  o.correlation = arguments.number("--correlation", 0, 0, UINT64_MAX);
  o.keep = !arguments.has("--forget");
  return submission;
}

std::size_t payload_most(const std::string& segment, const std::string& table) {
  const SegmentSnapshot snapshot = need(inspect_segment(segment, {.slots = false}));
  std::size_t most = 0;
  for (const ObjectSnapshot& object : snapshot.objects)
    if (object.tasks && object.name == table) most = object.tasks->payload_room;
  for (const BlockClassSnapshot& blocks : snapshot.blocks) most = std::max<std::size_t>(most, blocks.block_bytes);
  return most;
}

}  // namespace shmq::cli
