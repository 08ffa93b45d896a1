// Runs a case in a process of its own and says what became of it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "cases.hpp"

namespace hostile {

/// Empty when the case ended as it should. Otherwise a crash, a hang or what the case itself said, with the operation,
/// the damage, and how to run it again.
std::string watch_case(Manner manner, std::uint64_t seed);

/// The same for any work: `work` says what is wrong, or nothing.
std::string watch(const std::function<std::string(Progress&)>& work);

/// Longest time that a case may take: a hang is killed then. Not a measure of speed. SHMQ_HOSTILE_PATIENCE in the
/// environment sets another.
inline constexpr unsigned kPatienceSeconds = 60;
void set_patience(unsigned seconds);

}  // namespace hostile
