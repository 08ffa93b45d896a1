// The end of a stream: `closed` is heard when everything was released, and not before, by every consumer.
#include <sys/resource.h>

#include <thread>

#include "support.hpp"

namespace shmq::test {
namespace {

using StreamTest = SegmentTest;

TEST_F(StreamTest, EndsForEveryConsumerOnlyWhenTheLastMessageIsReleased) {
  auto segment = make();
  auto q = queue(segment, "q", {.capacity = 8});
  auto producer = q.producer();
  for (const char* text : {"a", "b"}) ASSERT_EQ(producer.send(bytes_of(text)), Outcome::ok);
  auto one = q.consumer(), two = q.consumer(), three = q.consumer();
  Message a = one.receive();
  q.close();
  q.close();  // again is nothing
  EXPECT_TRUE(q.closed());
  EXPECT_EQ(producer.try_claim(1).outcome(), Outcome::closed);
  Message b = two.receive();
  EXPECT_EQ(three.try_receive().outcome(), Outcome::empty) << "two messages are held: they may come again";
  EXPECT_EQ(three.receive(5ms).outcome(), Outcome::timeout);
  a.release();
  EXPECT_EQ(one.try_receive().outcome(), Outcome::empty);
  b.requeue();
  b = three.receive();
  EXPECT_TRUE(b.redelivered());
  EXPECT_EQ(two.try_receive().outcome(), Outcome::empty);
  b.release();
  for (auto* consumer : {&one, &two, &three}) {
    EXPECT_EQ(consumer->receive().outcome(), Outcome::closed);
    EXPECT_EQ(consumer->receive().outcome(), Outcome::closed) << "and it stays so";
  }
}

TEST_F(StreamTest, WaitsForClaimsThatWereMadeBeforeTheClose) {
  auto segment = make();
  auto q = queue(segment, "q", {.capacity = 8});
  auto producer = q.producer();
  auto published = producer.claim(4), aborted = producer.claim(4);
  auto block = producer.claim(3000);
  q.close();
  auto consumer = q.consumer();
  EXPECT_EQ(consumer.try_receive().outcome(), Outcome::empty);
  std::memcpy(published.data().data(), "late", 4);
  published.publish();
  expect_next(consumer, "late");
  EXPECT_EQ(consumer.try_receive().outcome(), Outcome::empty);
  aborted.abort();
  block.publish(1);
  consumer.receive().release();
  EXPECT_EQ(consumer.receive().outcome(), Outcome::closed);
}

TEST_F(StreamTest, WakesWhoSleepsOnEitherSide) {
  auto segment = make();
  auto full = queue(segment, "full", {.capacity = 2});
  auto empty = queue(segment, "empty", {.capacity = 2});
  for (int i = 0; i < 2; ++i) ASSERT_EQ(full.producer().send(bytes_of("x")), Outcome::ok);
  Outcome heard[3] = {};
  std::jthread sender([&] { heard[0] = full.producer().send(bytes_of("y")); });
  std::jthread receiver([&] { heard[1] = empty.consumer().receive().outcome(); });
  std::jthread second([&] { heard[2] = empty.consumer().receive_batch(4).outcome(); });
  std::this_thread::sleep_for(10ms);
  full.close();
  empty.close();
  sender.join();
  receiver.join();
  second.join();
  for (const Outcome outcome : heard) EXPECT_EQ(outcome, Outcome::closed);
}

TEST_F(StreamTest, AReleaseByAnotherConsumerWakesWhoWaitsForTheEnd) {
  auto segment = make();
  auto q = queue(segment, "q", {.capacity = 2});
  ASSERT_EQ(q.producer().send(bytes_of("x")), Outcome::ok);
  auto holder = q.consumer();
  Message held = holder.receive();
  q.close();
  Outcome heard[2] = {};
  std::jthread one([&] { heard[0] = q.consumer().receive().outcome(); });
  std::jthread two([&] { heard[1] = q.consumer().receive().outcome(); });
  std::this_thread::sleep_for(10ms);
  held.release();
  one.join();
  two.join();
  EXPECT_EQ(heard[0], Outcome::closed);
  EXPECT_EQ(heard[1], Outcome::closed);
}

TEST_F(StreamTest, HandlesThatSleepAtOnceSleepAndAreWoken) {
  Segment segment = make();
  Queue<void> queue = this->queue(segment, "q", {.capacity = 2});
  Producer<void> producer = queue.producer({.wait = Wait::futex});
  Consumer<void> consumer = queue.consumer({.wait = Wait::futex});
  const auto sleeps = [] {
    rusage usage{};
    ::getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_nvcsw;
  };
  const long before = sleeps();
  EXPECT_EQ(consumer.receive(2ms).outcome(), Outcome::timeout);
  EXPECT_GT(sleeps(), before);
  std::thread other([&] {
    Consumer<void> slow = queue.consumer({.wait = Wait::futex});
    for (int i = 0; i < 100; ++i) slow.receive(kPatience).release();
  });
  for (int i = 0; i < 100; ++i) EXPECT_EQ(producer.send(bytes_of("x"), kPatience), Outcome::ok);
  other.join();
  for (int i = 0; i < 2; ++i) EXPECT_EQ(producer.send(bytes_of("x")), Outcome::ok);
  const long full = sleeps();
  EXPECT_EQ(producer.claim(1, 2ms).outcome(), Outcome::timeout);
  EXPECT_GT(sleeps(), full);
}

}  // namespace
}  // namespace shmq::test
