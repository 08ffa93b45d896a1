// The object area, handed out in runs of 4096-byte units. Each unit has a word that names the directory entry
// (index and epoch) that has it, so that what a killed creator took is known without any list.
#pragma once

#include <cstdint>
#include <optional>

#include "shmq/core/segment_view.hpp"

namespace shmq::core {

/// Takes `bytes`, rounded up to units, for the entry; its offset from the segment's start, or nothing where
/// no run is long enough. First fit.
std::optional<std::uint64_t> take_space(const SegmentView& view, std::uint64_t bytes,
                                        std::uint64_t entry_epoch, std::uint32_t entry);

/// Gives back every unit of the entry, wherever it is. Idempotent.
void give_back_space(const SegmentView& view, std::uint64_t entry_epoch, std::uint32_t entry);

struct SpaceUse {
  std::uint64_t free_bytes = 0;
  std::uint64_t largest_run_bytes = 0;
};
SpaceUse space_use(const SegmentView& view);

}  // namespace shmq::core
