#include "base/text.hpp"
#include "human.hpp"
#include "text.hpp"

namespace shmq::stat {

namespace {

std::string attached_text(const SegmentSnapshot& segment) {
  std::uint32_t counts[5] = {};
  for (const ParticipantSnapshot& p : segment.participants) ++counts[static_cast<std::size_t>(p.state)];
  std::string text;
  for (const ParticipantState state : {ParticipantState::alive, ParticipantState::dead, ParticipantState::inaccessible,
                                       ParticipantState::undefined, ParticipantState::unknown_copy})
    if (const std::uint32_t count = counts[static_cast<std::size_t>(state)]; count != 0)
      text += (text.empty() ? "" : ", ") + std::to_string(count) + " " + to_string(state);
  return text.empty() ? "nobody" : text;
}

}  // namespace

std::string list_text(const std::vector<Listed>& segments) {
  if (segments.empty()) return "no segments (shmq create SEG makes one)\n";
  Table table({"SEGMENT", ">SIZE", ">OBJECTS FREE", ">BLOCKS FREE", ">QUEUES", ">MESSAGES", "MODE", "USER", "ATTACHED", "STATE"});
  for (const Listed& listed : segments) {
    if (!listed.snapshot) {
      table.row({printable(listed.name), "-", "-", "-", "-", "-", "-", "-", "-", printable(listed.snapshot.error().message())});
      continue;
    }
    const SegmentSnapshot& s = *listed.snapshot;
    std::uint64_t queues = 0, depth = 0, free = 0, blocks = 0;
    bool damaged = false;
    for (const ObjectSnapshot& object : s.objects) {
      damaged |= !object.damaged.empty();
      if (!object.queue || object.state != ObjectState::live) continue;
      ++queues;
      depth += object.queue->depth;
    }
    for (const BlockClassSnapshot& c : s.blocks) {
      free += c.free;
      blocks += c.count;
    }
    char mode[8];
    std::snprintf(mode, sizeof mode, "%04o", s.mode);
    table.row({printable(listed.name), base::size_text(s.size_bytes), base::size_text(s.object_bytes_free),
               std::to_string(free) + "/" + std::to_string(blocks), count_text(queues), count_text(depth), mode, user_text(s.uid),
               attached_text(s), std::string(s.removed ? "removed" : s.copy ? "copy" : "live") + (damaged ? ", damaged" : "")});
  }
  return table.text("");
}

}  // namespace shmq::stat
