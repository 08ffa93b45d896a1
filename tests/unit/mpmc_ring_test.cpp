// One thread plays all parts. Every test runs at positions where something wraps: the position itself (48
// bits), the lap in the slot word (32 bits), and nothing.
#include "shmq/core/mpmc_ring.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "plain_ring_memory.hpp"

namespace shmq::core {
namespace {

using layout::Owner;
using layout::SlotState;

using PlainMemory = test::PlainRingMemory;
using Ring = MpmcRing<PlainMemory>;

constexpr std::uint64_t kPositions = std::uint64_t{1} << 48;
constexpr Owner kA{1, 7}, kB{2, 7}, kC{4095, 255};
constexpr auto kRedeliver = [](std::uint64_t, std::uint64_t) { return Fate::redeliver; };

struct Start {
  unsigned log2;
  std::uint64_t position;
};

class RingNearAWrap : public ::testing::TestWithParam<Start> {
 protected:
  Ring ring{PlainMemory(GetParam().log2, GetParam().position)};
  const std::uint64_t n = ring.capacity();
  std::uint64_t at(std::uint64_t i) const { return layout::position_add(GetParam().position, i); }
  SlotState state(std::uint64_t position) {
    return layout::slot_state(ring.memory().slot(ring.index_of(position)).load());
  }
  void send(Owner owner, std::uint64_t count = 1) {
    for (std::uint64_t i = 0; i < count; ++i) {
      const Grant grant = ring.try_claim(owner);
      ASSERT_EQ(grant.status, RingStatus::ok);
      ring.publish(grant.position);
    }
  }
};

TEST_P(RingNearAWrap, DeliversInOrderLapAfterLap) {
  for (std::uint64_t i = 0; i < 5 * n; ++i) {
    const Grant claimed = ring.try_claim(i % 3 ? kA : kB);
    ASSERT_EQ(claimed.status, RingStatus::ok);
    EXPECT_EQ(claimed.position, at(i));
    ring.publish(claimed.position);
    const Grant taken = ring.try_take(i % 2 ? kA : kC);
    ASSERT_EQ(taken.status, RingStatus::ok);
    EXPECT_EQ(taken.position, at(i));
    ring.release(taken.position);
  }
}

TEST_P(RingNearAWrap, IsFullAndEmptyExactly) {
  for (int lap = 0; lap < 3; ++lap) {
    EXPECT_EQ(ring.try_take(kB).status, RingStatus::empty);
    send(kA, n);
    EXPECT_EQ(ring.try_claim(kA).status, RingStatus::full);
    // Held messages keep it full; a release makes room for one.
    std::vector<std::uint64_t> held;
    for (std::uint64_t i = 0; i < n; ++i) held.push_back(ring.try_take(kB).position);
    EXPECT_EQ(ring.try_take(kB).status, RingStatus::empty);
    EXPECT_EQ(ring.try_claim(kA).status, RingStatus::full);
    for (const std::uint64_t position : held) ring.release(position);
  }
}

TEST_P(RingNearAWrap, GrantsBatchesOfWhatIsThere) {
  for (int round = 0; round < 6; ++round) {
    const Grant claimed = ring.try_claim(kA, static_cast<std::uint32_t>(n + 5));
    ASSERT_EQ(claimed.status, RingStatus::ok);
    EXPECT_EQ(claimed.count, n);
    EXPECT_EQ(ring.try_take(kB, 4).status, RingStatus::empty);
    for (std::uint64_t i = 0; i < n; ++i)
      i % 2 ? ring.abort(layout::position_add(claimed.position, i))
            : ring.publish(layout::position_add(claimed.position, i));
    std::uint64_t taken = 0;
    while (taken < n) {
      const Grant grant = ring.try_take(kB, 3);
      ASSERT_EQ(grant.status, RingStatus::ok);
      for (std::uint32_t i = 0; i < grant.count; ++i) ring.release(layout::position_add(grant.position, i));
      taken += grant.count;
    }
    EXPECT_EQ(taken, n);
  }
}

TEST_P(RingNearAWrap, AClaimThatWasNotPublishedHoldsBackWhatComesAfter) {
  const Grant first = ring.try_claim(kA);
  send(kB);
  EXPECT_EQ(ring.try_take(kC).status, RingStatus::empty);
  ring.abort(first.position);
  const Grant tomb = ring.try_take(kC);
  EXPECT_EQ(tomb.position, first.position);
  EXPECT_EQ(state(tomb.position), SlotState::tomb);
}

TEST_P(RingNearAWrap, RedeliversWithACountUnderTheSamePosition) {
  send(kA);
  const Grant first = ring.try_take(kB);
  ASSERT_EQ(first.status, RingStatus::ok);
  for (std::uint32_t count = 1; count < 300; ++count) {
    const std::uint64_t before = ring.redelivery_sequence();
    ring.redeliver(first.position);
    EXPECT_NE(ring.redelivery_sequence(), before);
    EXPECT_FALSE(ring.drained());
    const Grant again = ring.try_take_redelivered(kC);
    ASSERT_EQ(again.status, RingStatus::ok);
    EXPECT_EQ(again.position, first.position);
    EXPECT_EQ(layout::slot_deliveries(ring.memory().slot(ring.index_of(first.position)).load()),
              std::min(count, 255u));
    EXPECT_EQ(ring.try_take_redelivered(kB).status, RingStatus::empty) << "only one gets it";
  }
  ring.release(first.position);
  EXPECT_EQ(state(layout::position_add(first.position, n)), SlotState::free);
}

TEST_P(RingNearAWrap, TheTrailNamesEveryOwner) {
  // Runs of different lengths by three owners, over two laps.
  std::vector<std::uint32_t> owners;
  for (std::uint64_t i = 0; i < 2 * n; ++i) {
    const Owner owner = (i * i / 3) % 3 == 0 ? kA : (i / 2) % 2 ? kB : kC;
    owners.push_back(owner.id);
    send(owner);
    const Grant taken = ring.try_take(owner);
    if (i + n / 2 < 2 * n) ring.release(taken.position);
    if (i + n / 2 >= 2 * n) break;
  }
  std::uint64_t seen = 0;
  ring.for_each_claimed(ring.memory().tail(), &PlainMemory::producer_trail,
                        [&](std::uint64_t position, std::uint32_t owner) {
                          if (seen < owners.size()) {
                            EXPECT_EQ(position, at(owners.size() - 1 - seen));
                            EXPECT_EQ(owner, owners[owners.size() - 1 - seen]) << seen << " back";
                          }
                          ++seen;
                        });
  EXPECT_EQ(seen, n);
}

TEST_P(RingNearAWrap, SweepsWhatADeadProducerHadClaimedAndNothingElse) {
  send(kB);
  const Grant dead = ring.try_claim(kA);
  const Grant living = n > 2 ? ring.try_claim(kB) : Grant{RingStatus::full};
  EXPECT_EQ(ring.sweep_producer(kA.id), 1u);
  EXPECT_EQ(ring.sweep_producer(kA.id), 0u) << "again is nothing";
  EXPECT_EQ(state(dead.position), SlotState::tomb);
  if (living.status == RingStatus::ok) {
    EXPECT_EQ(state(living.position), SlotState::free);
  }
  EXPECT_EQ(state(at(0)), SlotState::ready);
}

TEST_P(RingNearAWrap, SweepsWhatADeadConsumerHeldAndNothingElse) {
  send(kB, 2);
  const Grant dead = ring.try_take(kA);
  const Grant living = ring.try_take(kB);
  EXPECT_EQ(ring.sweep_consumer(kA.id, kRedeliver).redelivered, 1u);
  EXPECT_EQ(ring.sweep_consumer(kA.id, kRedeliver).redelivered, 0u);
  EXPECT_EQ(state(dead.position), SlotState::redeliver);
  EXPECT_EQ(state(living.position), SlotState::ready);
  // And again, when the next holder dies as well.
  ASSERT_EQ(ring.try_take_redelivered(kC).position, dead.position);
  EXPECT_EQ(ring.sweep_consumer(kA.id, kRedeliver).redelivered, 0u) << "it is another's by now";
  EXPECT_EQ(ring.sweep_consumer(kC.id, kRedeliver).redelivered, 1u);
  EXPECT_EQ(layout::slot_deliveries(ring.memory().slot(ring.index_of(dead.position)).load()), 2u);
}

TEST_P(RingNearAWrap, ADeadConsumersTombIsFreedAndFatesAreObeyed) {
  ring.abort(ring.try_claim(kB).position);
  send(kB);
  const Grant tomb = ring.try_take(kA), message = ring.try_take(kA);
  EXPECT_EQ(ring.sweep_consumer(kA.id, [](auto, auto) { return Fate::unchanged; }).completed, 1u);
  EXPECT_EQ(state(tomb.position), SlotState::free);
  EXPECT_EQ(state(message.position), SlotState::ready);
  EXPECT_EQ(ring.sweep_consumer(kA.id, [](auto, auto) { return Fate::complete; }).completed, 1u);
  EXPECT_EQ(ring.memory().slot(ring.index_of(message.position)).load(),
            ring.free_word(layout::position_add(message.position, n)));
}

TEST_P(RingNearAWrap, EndsOnlyWhenEverythingIsReleased) {
  send(kA, 2);
  EXPECT_FALSE(ring.drained());
  ring.close();
  EXPECT_EQ(ring.try_claim(kA).status, RingStatus::closed);
  const Grant first = ring.try_take(kB), second = ring.try_take(kB);
  EXPECT_FALSE(ring.drained()) << "both are held";
  ring.release(first.position);
  EXPECT_FALSE(ring.drained());
  ring.redeliver(second.position);
  EXPECT_FALSE(ring.drained());
  ring.release(ring.try_take_redelivered(kB).position);
  EXPECT_TRUE(ring.drained());
}

TEST_P(RingNearAWrap, RemovalIsHeardOnBothSides) {
  send(kA);
  ring.mark_removed();
  EXPECT_EQ(ring.try_claim(kA).status, RingStatus::removed);
  EXPECT_EQ(ring.try_take(kB).status, RingStatus::removed);
}

TEST_P(RingNearAWrap, WordsThatNoProtocolWritesAreCorrupt) {
  ring.memory().slot(ring.index_of(at(0))) = ring.free_word(at(n));
  EXPECT_EQ(ring.try_claim(kA).status, RingStatus::corrupt);
  EXPECT_EQ(ring.try_take(kA).status, RingStatus::corrupt);
}

INSTANTIATE_TEST_SUITE_P(All, RingNearAWrap,
                         ::testing::Values(Start{1, 0}, Start{3, 0}, Start{1, kPositions - 3},
                                           Start{3, kPositions - 13}, Start{3, kPositions - 8},
                                           Start{1, (std::uint64_t{1} << 33) - 3},
                                           Start{3, (std::uint64_t{1} << 35) - 11},
                                           Start{5, kPositions - 40}));

TEST(LargeRing, LapsHaveFewerBitsAndStillCompare) {
  // Above 2^16 slots the position has fewer than 32 bits left for the lap.
  const Ring ring(PlainMemory(17, 0));
  EXPECT_EQ(ring.lap_bits(), 31u);
  const std::uint32_t last = (1u << 31) - 1;
  EXPECT_EQ(ring.lap_diff(0, last), 1);
  EXPECT_EQ(ring.lap_diff(last, 0), -1);
  EXPECT_EQ(ring.nearest(kPositions - 1, 0), (std::uint64_t{1} << 17) - 1);
}

// A lone producer never writes the trail, so a cell may be more than half the range of positions old, and
// then looks newer than any note. The note was refused, and a living claim passed for the next owner's.
TEST(Trail, IsWrittenOverCellsThatAreHalfTheRangeOld) {
  constexpr std::uint64_t kStart = std::uint64_t{1} << 47;
  PlainMemory memory(2, kStart);
  for (std::uint64_t i = 0; i < 4; ++i) {
    const std::uint64_t stale =
        layout::ring_word(layout::position_sub(kStart, (std::uint64_t{1} << 47) + 8 + i), 0);
    memory.producer_trail(i) = stale;
    memory.consumer_trail(i) = stale;
  }
  Ring ring(memory);
  const Grant living = ring.try_claim(kA);
  const Grant dying = ring.try_claim(kB);
  ASSERT_EQ(dying.status, RingStatus::ok);
  EXPECT_EQ(ring.sweep_producer(kB.id), 1u);
  EXPECT_EQ(memory.slot(ring.index_of(living.position)).load(), ring.free_word(living.position)) << "A lives";
  ring.publish(living.position);
  const Grant read = ring.try_take(kA);
  const Grant stepped_over = ring.try_take(kB);
  ASSERT_EQ(stepped_over.status, RingStatus::ok);
  const Mended mended = ring.sweep_consumer(kB.id, [](auto, auto) { return Fate::redeliver; });
  EXPECT_EQ(mended.redelivered, 0u);
  EXPECT_EQ(mended.completed, 1u);
  EXPECT_EQ(memory.slot(ring.index_of(read.position)).load(), ring.ready_word(read.position)) << "A reads it";
}

}  // namespace
}  // namespace shmq::core
