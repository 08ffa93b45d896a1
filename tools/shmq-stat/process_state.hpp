// What /proc adds for people to a participant whose pid means something here. It decides nothing.
#pragma once

#include <string>

#include "shmq/inspect.hpp"

namespace shmq::stat {

/// "running", "sleeping", "stopped", "traced", "disk sleep", "zombie"; empty where /proc does not tell: another pid
/// namespace, no permission, or a pid that another process has by now.
std::string process_state(const ParticipantSnapshot& participant);

}  // namespace shmq::stat
