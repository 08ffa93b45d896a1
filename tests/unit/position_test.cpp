#include "shmq/layout/position.hpp"

#include <gtest/gtest.h>

#include "shmq/layout/words.hpp"

namespace shmq::layout {
namespace {

constexpr std::uint64_t kWrap = std::uint64_t{1} << 48;

TEST(Position, AddsAndSubtractsAcrossTheWrap) {
  EXPECT_EQ(position_add(kWrap - 1, 1), 0u);
  EXPECT_EQ(position_add(kWrap - 3, 5), 2u);
  EXPECT_EQ(position_sub(0, 1), kWrap - 1);
  EXPECT_EQ(position_sub(2, 5), kWrap - 3);
}

TEST(Position, DifferenceIsSignedAndModular) {
  EXPECT_EQ(position_diff(5, 3), 2);
  EXPECT_EQ(position_diff(3, 5), -2);
  EXPECT_EQ(position_diff(1, kWrap - 1), 2);
  EXPECT_EQ(position_diff(kWrap - 1, 1), -2);
  EXPECT_EQ(position_diff(kWrap / 2 - 1, 0), static_cast<std::int64_t>(kWrap / 2 - 1));
}

TEST(Position, WidensToTheNearestSixtyFourBits) {
  for (const std::uint64_t base : {std::uint64_t{0}, kWrap - 5, kWrap + 5, 7 * kWrap - 1, 7 * kWrap})
    for (const std::int64_t away : {0, 1, 10, 1'000'000}) {
      const std::uint64_t ahead = base + static_cast<std::uint64_t>(away);
      EXPECT_EQ(widen(ahead & kPositionMask, base), ahead);
      if (static_cast<std::uint64_t>(away) > base) continue;
      const std::uint64_t behind = base - static_cast<std::uint64_t>(away);
      EXPECT_EQ(widen(behind & kPositionMask, base), behind);
    }
}

TEST(Words, KeepEachPartApart) {
  const std::uint64_t ring = ring_word(kPositionMask, kOwnerMax, kRingClosed | kRingRemoved);
  EXPECT_EQ(ring_position(ring), kPositionMask);
  EXPECT_EQ(owner_of(ring), kOwnerMax);
  EXPECT_EQ(ring & kRingFlags, kRingClosed | kRingRemoved);
  EXPECT_EQ(ring_position(ring_word(5, kOwnerMax)), 5u);

  const std::uint64_t slot = slot_word(~0u, SlotState::reading, kDeliveriesMax, kOwnerMax, 0x1ff);
  EXPECT_EQ(slot_lap(slot), ~0u);
  EXPECT_EQ(slot_deliveries(slot), kDeliveriesMax);
  EXPECT_EQ(slot_incarnation(slot), 0xffu) << "an incarnation is cut to its bits, and reaches no others";
  EXPECT_EQ(owner_of(slot), kOwnerMax);
  EXPECT_EQ(slot_state(slot), SlotState::reading);

  const std::uint64_t owner = owner_word(kEpochMask, 0x1ff, kOwnerMax, 15);
  EXPECT_EQ(word_epoch(owner), kEpochMask);
  EXPECT_EQ(word_incarnation(owner), 0xffu);
  EXPECT_EQ(owner_of(owner), kOwnerMax);
  EXPECT_EQ(word_state(owner), 15u);
  EXPECT_EQ(epoch_add(kEpochMask, 1), 0u);
}

}  // namespace
}  // namespace shmq::layout
