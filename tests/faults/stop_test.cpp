// Stopped processes are alive: what they hold is waited for, and intact when they go on.
#include <sys/mman.h>
#include <unistd.h>

#include <random>
#include <thread>

#include "support.hpp"

namespace faults {
namespace {

using shmq::Outcome;

TEST(StoppedConsumer, FindsItsMessageIntactAndIsNeverRobbed) {
  const Name name("stop");
  auto segment = shmq::Segment::create(name, {.size_bytes = 8u << 20}).value();
  auto queue = queue_of(segment, "q", {.capacity = 2, .slot_bytes = 64});
  auto producer = queue.producer();
  const std::string block(50'000, 'b');
  ASSERT_EQ(producer.send(bytes_of("inline")), Outcome::ok);
  ASSERT_EQ(producer.send(bytes_of(block)), Outcome::ok);
  Shared<Steps> steps;
  Child holder([&]() -> std::string {
    auto mine = opened(name);
    auto consumer = mine.open_queue("q").value().consumer();
    shmq::Message first = consumer.receive(), second = consumer.receive();
    steps->reached = 1;
    while (!steps->go.load()) std::this_thread::yield();
    if (text_of(first) != "inline" || text_of(second) != block) return "what it held has changed";
    if (first.redelivered() || second.redelivered()) return "what it held was given to others";
    first.release();
    second.release();
    return {};
  });
  ASSERT_TRUE(eventually([&] { return steps->reached == 1; }));
  holder.stop();
  // Long enough for some twenty looks at the dead.
  auto thief = queue.consumer();
  EXPECT_EQ(producer.send(bytes_of("third"), 400ms), Outcome::timeout)
      << "one lap on, the held message is in the way";
  EXPECT_EQ(thief.receive(100ms).outcome(), Outcome::timeout);
  EXPECT_EQ(segment.reap().total(), 0u);
  steps->go = true;
  holder.resume();
  EXPECT_EQ(producer.send(bytes_of("third"), kPatience), Outcome::ok);
  shmq::Message third = thief.receive(kPatience);
  EXPECT_EQ(text_of(third), "third");
  EXPECT_FALSE(third.redelivered());
  third.release();
  EXPECT_EQ(holder.result(), "");
}

TEST(StoppedProducer, IsWaitedForAndItsClaimIsIntact) {
  const Name name("claim");
  auto segment = shmq::Segment::create(name, {.size_bytes = 8u << 20}).value();
  auto queue = queue_of(segment, "q", {.capacity = 8});
  Shared<Steps> steps;
  Child holder([&]() -> std::string {
    auto mine = opened(name);
    auto producer = mine.open_queue("q").value().producer();
    auto claim = producer.claim(5);
    std::memcpy(claim.data().data(), "first", 5);
    steps->reached = 1;
    while (!steps->go.load()) std::this_thread::yield();
    claim.publish();
    return {};
  });
  ASSERT_TRUE(eventually([&] { return steps->reached == 1; }));
  holder.stop();
  ASSERT_EQ(queue.producer().send(bytes_of("second")), Outcome::ok);
  auto consumer = queue.consumer();
  EXPECT_EQ(consumer.receive(400ms).outcome(), Outcome::timeout);
  steps->go = true;
  holder.resume();
  for (const char* expected : {"first", "second"}) {
    shmq::Message message = consumer.receive(kPatience);
    EXPECT_EQ(text_of(message), expected);
    EXPECT_FALSE(message.redelivered());
    message.release();
  }
  EXPECT_EQ(holder.result(), "");
}

TEST(StoppedReaper, HoldsNobodyUp) {
  const Name name("reaper");
  auto segment =
      shmq::Segment::create(name, {.size_bytes = 8u << 20, .participants_max = 32, .objects_max = 64})
          .value();
  // Many objects make a sweep long, so that a stop often falls into one.
  for (int i = 0; i < 40; ++i)
    ASSERT_TRUE(segment.queue("other" + std::to_string(i), {.capacity = 256, .slot_bytes = 64}));
  auto queue = queue_of(segment, "q", {.capacity = 4});
  auto producer = queue.producer();
  auto consumer = queue.consumer();
  std::mt19937 dice(3);
  std::vector<std::unique_ptr<Child>> stopped;
  for (int round = 0; round < 40; ++round) {
    ASSERT_EQ(producer.send(bytes_of("held"), kPatience), Outcome::ok);
    Shared<Steps> steps;
    Child victim([&]() -> std::string {
      auto mine = opened(name);
      std::vector<shmq::Queue<void>> used;  // all of them, so that all have to be looked at
      for (int i = 0; i < 40; ++i) used.push_back(mine.open_queue("other" + std::to_string(i)).value());
      auto held = mine.open_queue("q").value().consumer().receive();
      steps->reached = 1;
      ::pause();
      return {};
    });
    auto reaper = std::make_unique<Child>([&]() -> std::string {
      auto mine = opened(name);
      steps->go = true;
      for (;;) (void)mine.reap();
    });
    ASSERT_TRUE(eventually([&] { return steps->reached == 1 && steps->go; }));
    victim.kill();
    std::this_thread::sleep_for(std::chrono::microseconds(dice() % 400));
    reaper->stop();
    shmq::Message again = consumer.receive(kPatience);
    ASSERT_TRUE(again) << again.outcome() << " in round " << round;
    EXPECT_EQ(text_of(again), "held");
    EXPECT_TRUE(again.redelivered());
    again.release();
    if (stopped.size() < 8)
      stopped.push_back(std::move(reaper));  // some stand for good; new ones attach all the same
  }
  // A victim's row is not used again while a living reaper says that it is sweeping it, and then it is.
  for (auto& reaper : stopped) reaper->resume();
  for (auto& reaper : stopped) reaper->kill();
  (void)segment.reap();
  EXPECT_EQ(segment.reap().total(), 0u);
}

}  // namespace
}  // namespace faults
