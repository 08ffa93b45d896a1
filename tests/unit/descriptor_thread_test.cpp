// The helper thread among threads that arm, receive, disarm, make and destroy consumers.
#include <poll.h>

#include <atomic>
#include <thread>
#include <vector>

#include "support.hpp"

namespace shmq::test {
namespace {

using DescriptorThreads = SegmentTest;

/// Receives what comes until the queue is closed, in the shape of an event loop.
void poll_to_the_end(Consumer<void>& consumer, const std::function<void(const Message&)>& read) {
  pollfd watched{consumer.descriptor().value(), POLLIN, 0};
  for (;;) {
    (void)consumer.arm();
    ASSERT_EQ(::poll(&watched, 1, 60'000), 1);
    for (;;) {
      Message message = consumer.try_receive();
      if (message.outcome() == Outcome::closed) return;
      if (!message) break;
      read(message);
      message.release();
    }
  }
}

TEST_F(DescriptorThreads, ShareQueuesAndEachMessageComesOnce) {
  constexpr std::uint64_t kQueues = 2, kMessages = 3000;
  auto segment = make();
  std::vector<Queue<void>> queues;
  for (std::uint64_t i = 0; i < kQueues; ++i)
    queues.push_back(queue(segment, "q" + std::to_string(i), {.capacity = 16}));
  std::vector<std::atomic<int>> seen(kQueues * kMessages);
  std::vector<std::jthread> threads;
  for (std::uint64_t i = 0; i < kQueues; ++i) {
    threads.emplace_back([&, i] {
      auto producer = queues[i].producer();
      for (std::uint64_t n = 0; n < kMessages; ++n) {
        const std::uint64_t value = i * kMessages + n;
        ASSERT_EQ(producer.send(std::as_bytes(std::span(&value, 1))), Outcome::ok);
        if (n % 64 == 0) std::this_thread::sleep_for(50us);
      }
      queues[i].close();
    });
    for (int t = 0; t < 2; ++t)
      threads.emplace_back([&, i] {
        auto consumer = queues[i].consumer();
        poll_to_the_end(consumer, [&](const Message& message) {
          std::uint64_t value = 0;
          std::memcpy(&value, message.data().data(), sizeof value);
          ASSERT_LT(value, seen.size());
          ++seen[value];
        });
      });
  }
  threads.clear();
  for (const auto& count : seen) ASSERT_EQ(count, 1);
}

TEST_F(DescriptorThreads, MakeArmAndDestroyConsumersWhileOthersPublish) {
  auto segment = make();
  auto q = queue(segment, "q", {.capacity = 64, .on_full = OnFull::reject});
  std::atomic<bool> done{false};
  std::jthread publisher([&] {
    auto producer = q.producer();
    auto consumer = q.consumer();
    while (!done) {
      (void)producer.send(bytes_of("x"));
      if (Message message = consumer.try_receive()) message.release();
    }
  });
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 3; ++t)
      threads.emplace_back([&, t] {
        auto mine =
            Segment::open(name_).value();  // the last handle of a segment goes while the helper is at work
        for (int i = 0; i < 300; ++i) {
          if (i % 50 == 0) mine = Segment::open(name_).value();
          auto consumer = mine.open_queue("q").value().consumer();
          ASSERT_TRUE(consumer.descriptor());
          (void)consumer.arm();
          if (i % 3 == t) consumer.disarm();
          if (i % 5 == t) (void)consumer.arm();
          if (Message message = consumer.try_receive()) message.release();
        }
      });
  }
  done = true;
}

}  // namespace
}  // namespace shmq::test
