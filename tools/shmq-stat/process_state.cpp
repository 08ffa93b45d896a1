#include "process_state.hpp"

#include <fstream>
#include <sstream>

namespace shmq::stat {

std::string process_state(const ParticipantSnapshot& participant) {
  if (!participant.pid_is_ours || participant.joining) return "";
  std::ifstream file("/proc/" + std::to_string(participant.pid) + "/stat");
  std::stringstream text;
  text << file.rdbuf();
  // The second field is the program's name in parentheses, which may hold anything.
  const std::string line = text.str();
  const std::size_t end = line.rfind(')');
  if (end == std::string::npos) return "";
  std::istringstream fields(line.substr(end + 1));
  std::string state, field;
  fields >> state;
  for (int number = 4; number <= 22; ++number) fields >> field;
  if (!fields || field != std::to_string(participant.start_time_ticks)) return "";
  switch (state.empty() ? '?' : state[0]) {
    case 'R': return "running";
    case 'S': case 'I': return "sleeping";
    case 'D': return "disk sleep";
    case 'T': return "stopped";
    case 't': return "traced";
    case 'Z': return "zombie";
    default: return "";
  }
}

}  // namespace shmq::stat
