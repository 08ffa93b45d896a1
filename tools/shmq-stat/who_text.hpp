// Participants as lines name them.
#pragma once

#include <cstdint>
#include <string>

#include "shmq/inspect.hpp"

namespace shmq::stat {

/// "Alive", with what /proc adds: "Alive, stopped".
std::string state_text(const ParticipantSnapshot& p);
/// "worker-2 (id 3, pid 77, Alive, stopped)".
std::string who_text(const SegmentSnapshot& segment, std::uint32_t id);

}  // namespace shmq::stat
