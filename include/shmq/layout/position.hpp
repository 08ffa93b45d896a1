// Positions in a ring: 48-bit, modular. The one place that knows how they are compared.
//
// A position counts claims since the queue was declared. 48 bits fit beside an owner id in one 64-bit word,
// which is what makes "claim" and "say who claimed" a single compare-and-swap. At 100 million messages a
// second 48 bits wrap after 32 days, so every comparison is modular; the 64-bit position that people see is
// rebuilt from a base that the queue's header keeps within reach (see `widen`).
#pragma once

#include <cstdint>

namespace shmq::layout {

inline constexpr unsigned kPositionBits = 48;
inline constexpr std::uint64_t kPositionMask = (std::uint64_t{1} << kPositionBits) - 1;

constexpr std::uint64_t position_add(std::uint64_t position, std::uint64_t n) {
  return (position + n) & kPositionMask;
}

constexpr std::uint64_t position_sub(std::uint64_t position, std::uint64_t n) {
  return (position - n) & kPositionMask;
}

/// a - b as a signed number, right while the two are less than 2^47 apart.
constexpr std::int64_t position_diff(std::uint64_t a, std::uint64_t b) {
  constexpr unsigned kShift = 64 - kPositionBits;
  return static_cast<std::int64_t>((a - b) << kShift) >> kShift;
}

/// The 64-bit position that `position` stands for, given any 64-bit position less than 2^47 away from it.
constexpr std::uint64_t widen(std::uint64_t position, std::uint64_t base) {
  return base + static_cast<std::uint64_t>(position_diff(position, base & kPositionMask));
}

}  // namespace shmq::layout
