#include "who_text.hpp"

#include "process_state.hpp"
#include "text.hpp"

namespace shmq::stat {

std::string state_text(const ParticipantSnapshot& p) {
  std::string text = to_string(p.state);
  if (p.joining) text += ", joining";
  if (p.swept) text += ", mended";
  if (p.state == ParticipantState::alive)
    if (const std::string process = process_state(p); process == "stopped" || process == "traced" || process == "disk sleep")
      text += ", " + process;
  return text;
}

std::string who_text(const SegmentSnapshot& segment, std::uint32_t id) {
  const ParticipantSnapshot* p = segment.participant(id);
  if (id == 0) return "nobody";
  if (p == nullptr) return "id " + std::to_string(id) + " (not attached any more)";
  return printable(p->name) + " (id " + std::to_string(id) + ", pid " + std::to_string(p->pid) + ", " + state_text(*p) + ")";
}

}  // namespace shmq::stat
