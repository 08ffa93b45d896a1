#pragma once
#include <cstdint>

namespace sim {

// Mixes `value` into `hash`; every bit of either reaches every bit of the result.
constexpr std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
  std::uint64_t x = (hash + 0x9e3779b97f4a7c15u) ^ (value * 0xd6e8feb86659fd93u);
  x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93u;
  x = (x ^ (x >> 29)) * 0x94d049bb133111ebu;
  return x ^ (x >> 32);
}

}  // namespace sim
