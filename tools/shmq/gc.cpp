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

std::uint64_t waiting(const SegmentSnapshot& segment) {
  std::uint64_t depth = 0;
  for (const ObjectSnapshot& object : segment.objects)
    if (object.queue && object.state == ObjectState::live) depth += object.queue->depth;
  return depth;
}

}  // namespace

int gc_command(const Words& words) {
  const Arguments arguments(words, {{"--unused"}, {"--yes"}});
  arguments.no_words();
  const bool remove = arguments.has("--yes");
  if (remove && !arguments.has("--unused")) throw UsageError{"--yes belongs to --unused"};
  std::string text;
  for (const std::string& file : Segment::collect_leftovers()) text += "removed leftover /dev/shm/" + file + "\n";

  int status = kOk;
  bool left = false;
  if (arguments.has("--unused")) {
    for (const std::string& name : list_segments()) {
      const auto segment = inspect_segment(name, {.slots = false});
      if (!segment) {
        if (segment.error().code() != ErrorCode::not_found) remark("gc: passed over: " + segment.error().message());
        continue;
      }
      if (!unused(*segment)) continue;
      const std::string about = name + "\t" + base::size_text(segment->size_bytes) + "\t" + std::to_string(waiting(*segment)) + " messages\n";
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
