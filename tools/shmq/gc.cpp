// gc: what nobody will clear away by itself.
#include "address.hpp"
#include "base/text.hpp"
#include "commands.hpp"
#include "failure.hpp"
#include "options.hpp"
#include "output.hpp"
#include "shmq/inspect.hpp"

namespace shmq::cli {

namespace {

/// Nobody is attached, as far as the kernel tells: who is dead does not count, who cannot be judged does.
bool unused(const SegmentSnapshot& segment) {
  if (segment.copy) return false;
  for (const ParticipantSnapshot& p : segment.participants)
    if (p.state != ParticipantState::dead) return false;
  return true;
}

/// What the next workers would get: also what a dead one had.
std::uint64_t tasks_in(const SegmentSnapshot& segment) {
  std::uint64_t count = 0;
  for (const ObjectSnapshot& object : segment.objects) {
    if (!object.tasks || object.state != ObjectState::live) continue;
    for (const TaskState state : {TaskState::held, TaskState::waiting, TaskState::delayed, TaskState::ready,
                                  TaskState::claimed, TaskState::running})
      count += object.tasks->states[static_cast<std::size_t>(state)];
  }
  return count;
}

/// What the next receivers would get: also what a dead one held.
std::uint64_t messages_in(const SegmentSnapshot& segment) {
  std::uint64_t count = 0;
  for (const ObjectSnapshot& object : segment.objects) {
    if (!object.queue || object.state != ObjectState::live) continue;
    const QueueSnapshot::Slots& slots = object.queue->slots;
    count += slots.ready + slots.reading + slots.rereading + slots.redeliver;
  }
  return count;
}

}  // namespace

int gc_command(const Words& words) {
  const Arguments arguments(words, {{"--unused"}, {"--yes"}});
  arguments.no_words();
  const bool remove = arguments.has("--yes");
  if (remove && !arguments.has("--unused")) throw UsageError{"--yes belongs to --unused"};
  std::string text;
  for (const std::string& file : Segment::collect_leftovers())
    text += "removed leftover /dev/shm/" + file + "\n";

  int status = kOk;
  bool left = false;
  if (arguments.has("--unused")) {
    for (const std::string& name : list_segments()) {
      const auto segment = inspect_segment(name);
      if (!segment) {
        if (segment.error().code() != ErrorCode::not_found)
          remark("gc: passed over: " + segment.error().message());
        continue;
      }
      if (!unused(*segment)) continue;
      const std::uint64_t count = messages_in(*segment);
      const std::uint64_t tasks = tasks_in(*segment);
      const std::string about = name + "\t" + base::size_text(segment->size_bytes) + "\t" + std::to_string(count) +
                                (count == 1 ? " message" : " messages") +
                                (tasks == 0 ? "" : ", " + std::to_string(tasks) + (tasks == 1 ? " task" : " tasks")) + "\n";
      if (!remove) {
        text += "unused " + about;
        left = true;
      } else if (const Status removed = Segment::remove(name); removed) {
        text += "removed " + about;
      } else if (removed.error().code() != ErrorCode::not_found) {
        remark("gc: " + removed.error().message());
        status = kFailed;
      }
    }
  }
  print(text);
  if (left) remark("gc: nothing of that was removed: shmq gc --unused --yes does");
  return status;
}

}  // namespace shmq::cli
