#include "core/space.hpp"

#include <algorithm>

namespace shmq::core {

using layout::kUnitBytes;

namespace {

/// Takes units [first, first + count); on a conflict gives back what it got and returns the unit in the way.
std::optional<std::uint64_t> take_run(const SegmentView& view, std::uint64_t first, std::uint64_t count,
                                      std::uint64_t word) {
  for (std::uint64_t i = 0; i < count; ++i) {
    std::uint64_t expected = 0;
    if (view.unit(first + i).compare_exchange_strong(expected, word, std::memory_order_acq_rel)) continue;
    for (std::uint64_t j = 0; j < i; ++j) view.unit(first + j).store(0, std::memory_order_release);
    return first + i;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::uint64_t> take_space(const SegmentView& view, std::uint64_t bytes,
                                        std::uint64_t entry_epoch, std::uint32_t entry) {
  const std::uint64_t count = (bytes + kUnitBytes - 1) / kUnitBytes;
  const std::uint64_t units = view.geometry().unit_count;
  const std::uint64_t word = layout::unit_word(entry_epoch, entry);
  std::uint64_t run = 0;
  for (std::uint64_t i = 0; i < units; ++i) {
    run = view.unit(i).load(std::memory_order_acquire) == 0 ? run + 1 : 0;
    if (run < count) continue;
    const std::uint64_t first = i + 1 - count;
    const std::optional<std::uint64_t> obstacle = take_run(view, first, count, word);
    if (!obstacle) return view.geometry().objects_offset + first * kUnitBytes;
    i = *obstacle;
    run = 0;
  }
  return std::nullopt;
}

void give_back_space(const SegmentView& view, std::uint64_t entry_epoch, std::uint32_t entry) {
  const std::uint64_t word = layout::unit_word(entry_epoch, entry);
  for (std::uint64_t i = 0; i < view.geometry().unit_count; ++i) {
    std::uint64_t expected = word;
    if (view.unit(i).load(std::memory_order_relaxed) == word)
      view.unit(i).compare_exchange_strong(expected, 0, std::memory_order_acq_rel);
  }
}

SpaceUse space_use(const SegmentView& view) {
  SpaceUse use;
  std::uint64_t run = 0;
  for (std::uint64_t i = 0; i < view.geometry().unit_count; ++i) {
    const bool free = view.unit(i).load(std::memory_order_acquire) == 0;
    run = free ? run + kUnitBytes : 0;
    use.free_bytes += free ? kUnitBytes : 0;
    use.largest_run_bytes = std::max(use.largest_run_bytes, run);
  }
  return use;
}

}  // namespace shmq::core
