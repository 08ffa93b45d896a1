// Selectors among threads: several share the same queues, and each message goes to one of them.
#include <atomic>
#include <thread>
#include <vector>

#include "support.hpp"

namespace shmq::test {
namespace {

using SelectorThreads = SegmentTest;

TEST_F(SelectorThreads, ShareQueuesAndEachMessageComesOnce) {
  constexpr std::uint64_t kQueues = 3, kMessages = 4000;
  auto segment = make();
  std::vector<Queue<void>> queues;
  for (std::uint64_t i = 0; i < kQueues; ++i)
    queues.push_back(queue(segment, "q" + std::to_string(i), {.capacity = 16}));
  std::vector<std::atomic<int>> seen(kQueues * kMessages);
  std::vector<std::jthread> threads;
  for (std::uint64_t i = 0; i < kQueues; ++i)
    threads.emplace_back([&, i] {
      auto producer = queues[i].producer();
      for (std::uint64_t n = 0; n < kMessages; ++n) {
        const std::uint64_t value = i * kMessages + n;
        ASSERT_EQ(producer.send(std::as_bytes(std::span(&value, 1))), Outcome::ok);
        if (n % 512 == 0) std::this_thread::sleep_for(100us);  // the receivers fall asleep
      }
      queues[i].close();
    });
  for (int t = 0; t < 2; ++t)
    threads.emplace_back([&] {
      std::vector<Consumer<void>> consumers;
      Selector selector;
      for (auto& q : queues) consumers.push_back(q.consumer());
      for (auto& consumer : consumers) selector.add(consumer);
      while (auto got = selector.receive()) {
        std::uint64_t value = 0;
        std::memcpy(&value, got.message.data().data(), sizeof value);
        ASSERT_LT(value, seen.size());
        EXPECT_EQ(value / kMessages, got.source);
        ++seen[value];
        got.message.release();
      }
      EXPECT_EQ(selector.receive().outcome(), Outcome::closed);
    });
  threads.clear();
  for (const auto& count : seen) ASSERT_EQ(count, 1);
}

}  // namespace
}  // namespace shmq::test
