// The ring among threads, each an owner of its own, with payloads as plain bytes beside the slots:
// ThreadSanitizer sees whether publish and take, release and claim, death and repair order them. Starts short
// of the position's wrap.
#include <gtest/gtest.h>

#include <atomic>
#include <list>
#include <thread>
#include <vector>

#include "plain_ring_memory.hpp"
#include "shmq/core/mpmc_ring.hpp"

namespace shmq::core {
namespace {

using layout::Owner;
using Ring = MpmcRing<test::PlainRingMemory>;

constexpr unsigned kLog2 = 2;
constexpr std::uint64_t kMessages = 40'000;
constexpr std::uint32_t kOwners = 12;

struct Table {
  Ring ring{test::PlainRingMemory(kLog2, (std::uint64_t{1} << 48) - kMessages / 2)};
  std::uint64_t payload[1 << kLog2] = {};
  std::vector<std::atomic<std::uint32_t>> released = std::vector<std::atomic<std::uint32_t>>(kMessages);
  std::atomic<std::uint64_t> done{0};
  std::atomic<std::uint64_t> next{0};
  /// Set when the owner will never do anything again; the kernel's word in a real segment.
  std::atomic<bool> dead[kOwners] = {};

  std::uint64_t& payload_of(std::uint64_t position) { return payload[ring.index_of(position)]; }
};

/// Sends numbers until there are no more; gives some claims up, and at `dies_after` it dies with one.
void produce(Table& table, Owner me, std::uint64_t dies_after) {
  for (std::uint64_t sent = 0;; ++sent) {
    const Grant grant = table.ring.try_claim(me, static_cast<std::uint32_t>(1 + sent % 3));
    if (grant.status != RingStatus::ok) {
      if (table.done == kMessages) return;
      std::this_thread::yield();
      --sent;
      continue;
    }
    if (sent == dies_after) {
      table.payload_of(grant.position) = ~std::uint64_t{0};  // half-written
      table.dead[me.id].store(true, std::memory_order_release);
      return;
    }
    for (std::uint32_t i = 0; i < grant.count; ++i) {
      const std::uint64_t position = layout::position_add(grant.position, i);
      const std::uint64_t number = sent % 11 == 5 ? kMessages : table.next.fetch_add(1);
      if (number >= kMessages) {
        table.ring.abort(position);
        continue;
      }
      table.payload_of(position) = number;
      table.ring.publish(position);
    }
    if (table.next >= kMessages) return;
  }
}

void consume(Table& table, Owner me, std::uint64_t dies_after) {
  std::uint64_t seen = ~std::uint64_t{0};
  for (std::uint64_t got = 0; table.done < kMessages;) {
    Grant grant{RingStatus::empty};
    if (const std::uint64_t sequence = table.ring.redelivery_sequence(); sequence != seen) {
      grant = table.ring.try_take_redelivered(me);
      if (grant.status == RingStatus::empty) seen = sequence;
    }
    if (grant.status != RingStatus::ok)
      grant = table.ring.try_take(me, static_cast<std::uint32_t>(1 + got % 3));
    if (grant.status != RingStatus::ok) {
      std::this_thread::yield();
      continue;
    }
    if (++got == dies_after) {
      volatile std::uint64_t read = table.payload_of(grant.position);
      (void)read;
      table.dead[me.id].store(true, std::memory_order_release);
      return;
    }
    for (std::uint32_t i = 0; i < grant.count; ++i) {
      const std::uint64_t position = layout::position_add(grant.position, i);
      const std::uint64_t word =
          table.ring.memory().slot(table.ring.index_of(position)).load(std::memory_order_relaxed);
      if (word == table.ring.tomb_word(position)) {
        table.ring.release(position);
      } else if (got % 13 == 0 && layout::slot_deliveries(word) < 3) {
        table.ring.redeliver(position);
      } else {
        const std::uint64_t number = table.payload_of(position);
        table.ring.release(position);
        ASSERT_LT(number, kMessages);
        table.released[number].fetch_add(1);
        table.done.fetch_add(1);
      }
    }
  }
}

void reap(Table& table) {
  const auto fate = [](std::uint64_t, std::uint64_t) { return Fate::redeliver; };
  while (table.done < kMessages) {
    for (std::uint32_t owner = 1; owner < kOwners; ++owner) {
      if (!table.dead[owner].load(std::memory_order_acquire)) continue;
      (void)table.ring.sweep_producer(owner);
      (void)table.ring.sweep_consumer(owner, fate);
      table.ring.announce_redelivery();
    }
    std::this_thread::yield();
  }
}

TEST(RingAmongThreads, DeliversEverythingOnceAlthoughSomeDie) {
  Table table;
  constexpr std::uint64_t kNever = ~std::uint64_t{0};
  std::list<std::jthread> threads;
  std::uint32_t owner = 1;
  for (const std::uint64_t dies : {kNever, kNever, std::uint64_t{100}, std::uint64_t{2000}})
    threads.emplace_back([&table, dies, me = Owner{owner++, 1}] { produce(table, me, dies); });
  for (const std::uint64_t dies : {kNever, kNever, std::uint64_t{50}, std::uint64_t{3000}})
    threads.emplace_back([&table, dies, me = Owner{owner++, 1}] { consume(table, me, dies); });
  for (int i = 0; i < 2; ++i) threads.emplace_back([&table] { reap(table); });
  threads.clear();
  for (std::uint64_t i = 0; i < kMessages; ++i) ASSERT_EQ(table.released[i].load(), 1u) << i;
}

}  // namespace
}  // namespace shmq::core
