// Where a handle looks first for a free block. Only a hint: the block words say what is free.
#pragma once

#include <cstdint>

#include "shmq/layout/segment_header.hpp"

namespace shmq::core {

/// The blocks freed last come first, while their lines are warm; nothing is hoarded, since nothing here is
/// owned.
struct BlockHints {
  static constexpr unsigned kRemembered = 8;
  std::uint32_t recent[kRemembered] = {};
  unsigned count = 0;
  std::uint32_t next[layout::kBlockClassesMax] = {};

  void remember(std::uint32_t index) {
    if (count < kRemembered) recent[count++] = index;
  }
};

}  // namespace shmq::core
