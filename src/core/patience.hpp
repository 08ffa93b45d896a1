// How often something is looked at again because it changed in between. What keeps to the protocol changes a few times;
// what changes more often is written by somebody who does not, and nobody shall wait for that.
#pragma once

#include <cstdint>

namespace shmq::core {

inline constexpr std::uint32_t kLooksMax = 100;

}  // namespace shmq::core
