// Words that change at every look: whatever another process writes while an operation runs, the operation ends.
//
// A second process cannot be made to change a word at just the wrong moment each time; a memory that does it by itself
// can. Without the bounds that are tested here these operations go on for as long as the words change.
#include <gtest/gtest.h>

#include <functional>

#include "shmq/core/mpmc_ring.hpp"
#include "watch.hpp"

namespace hostile {
namespace {

namespace layout = shmq::layout;

/// Another value at each load, and no compare-and-swap that succeeds, once it is let loose.
class Restless {
 public:
  using Next = std::function<std::uint64_t(std::uint64_t)>;
  void next(Next next) { next_ = std::move(next); }
  std::uint64_t load(std::memory_order) const {
    if (next_) value_ = next_(value_);
    return value_;
  }
  void store(std::uint64_t value, std::memory_order) { value_ = value; }
  bool compare_exchange_strong(std::uint64_t& expected, std::uint64_t desired, std::memory_order, std::memory_order) {
    if (load(std::memory_order_relaxed) == expected && !next_) {
      value_ = desired;
      return true;
    }
    expected = value_;
    return false;
  }
  std::uint64_t fetch_or(std::uint64_t bits, std::memory_order) { return value_ |= bits; }
  std::uint64_t fetch_add(std::uint64_t n, std::memory_order) { return value_ += n; }

 private:
  mutable std::uint64_t value_ = 0;
  Next next_;
};

struct Words {
  Restless tail, head, redeliveries, slots[4], producers[4], consumers[4];
};

struct Memory {
  Words* words = nullptr;
  Restless& tail() const { return words->tail; }
  Restless& head() const { return words->head; }
  Restless& producer_trail(std::uint64_t i) const { return words->producers[i]; }
  Restless& consumer_trail(std::uint64_t i) const { return words->consumers[i]; }
  Restless& slot(std::uint64_t i) const { return words->slots[i]; }
  Restless& redeliveries() const { return words->redeliveries; }
  unsigned capacity_log2() const { return 2; }
};

using Ring = shmq::core::MpmcRing<Memory>;
using shmq::core::RingStatus;

void expect_corrupt(const std::function<void(Words&)>& arrange, const std::function<shmq::core::Grant(Ring&)>& operation) {
  EXPECT_EQ(watch([&](Progress&) -> std::string {
              Words words;
              arrange(words);
              Ring ring(Memory{&words});
              return operation(ring).status == RingStatus::corrupt ? "" : "it is not corrupt";
            }),
            "");
}

constexpr layout::Owner kMe{3, 1};

std::uint64_t next_owner(std::uint64_t word) { return layout::ring_word(layout::ring_position(word), (layout::owner_of(word) + 1) & 7); }
std::uint64_t next_lap(std::uint64_t word) { return word + (std::uint64_t{4} << 16); }

TEST(RestlessWords, DoNotKeepAProducerForEver) {
  // tail never stands still while the slots look free; and it moves while the slots look taken.
  expect_corrupt([](Words& w) { w.tail.next(next_owner); }, [](Ring& ring) { return ring.try_claim(kMe); });
  expect_corrupt(
      [](Words& w) {
        w.tail.next(next_lap);
        for (auto& slot : w.slots) slot.next([](std::uint64_t) { return layout::slot_word(0x7fff'0000u, layout::SlotState::ready); });
      },
      [](Ring& ring) { return ring.try_claim(kMe); });
}

TEST(RestlessWords, DoNotKeepAConsumerForEver) {
  expect_corrupt(
      [](Words& w) {
        w.head.next(next_owner);
        for (auto& slot : w.slots) slot.store(layout::slot_word(0, layout::SlotState::ready), std::memory_order_relaxed);
      },
      [](Ring& ring) { return ring.try_take(kMe); });
  expect_corrupt(
      [](Words& w) {
        w.head.next(next_lap);
        for (auto& slot : w.slots) slot.next([](std::uint64_t) { return layout::slot_word(0x7fff'0000u, layout::SlotState::reading); });
      },
      [](Ring& ring) { return ring.try_take(kMe); });
}

TEST(RestlessWords, DoNotKeepWhoDropsTheOldestForEver) {
  expect_corrupt(
      [](Words& w) {
        w.tail.store(layout::ring_word(4, 2), std::memory_order_relaxed);
        for (auto& slot : w.slots) slot.store(layout::slot_word(0, layout::SlotState::ready), std::memory_order_relaxed);
        w.head.next([](std::uint64_t word) { return word ^ 0x70; });
      },
      [](Ring& ring) { return ring.try_drop_oldest(kMe); });
}

TEST(RestlessWords, OfTheTrailKeepNobodyForEver) {
  // The claim needs a note, and the cell for it changes whenever it is looked at: then the claim goes without.
  EXPECT_EQ(watch([](Progress&) -> std::string {
              Words words;
              words.tail.store(layout::ring_word(0, 5), std::memory_order_relaxed);
              for (auto& cell : words.producers) cell.next([](std::uint64_t word) { return word + 0x10000; });
              Ring ring(Memory{&words});
              return ring.try_claim(kMe).status == RingStatus::ok ? "" : "it is not claimed";
            }),
            "");
}

}  // namespace
}  // namespace hostile
