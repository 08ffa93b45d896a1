// OnFull::drop_oldest: what a claim on a full queue takes away, and what it leaves alone.
#include <thread>

#include "support.hpp"

namespace shmq::test {
namespace {

class DropOldest : public SegmentTest {
 protected:
  std::uint64_t dropped() const { return inspect_segment(name_).value().queue("q")->queue->dropped; }
  static void fill(Producer<void>& producer, int count) {
    for (int i = 0; i < count; ++i)
      ASSERT_EQ(producer.send(bytes_of("m" + std::to_string(i)), 0ms), Outcome::ok) << i;
  }
};

const QueueOptions kDropping{.capacity = 4, .on_full = OnFull::drop_oldest};

TEST_F(DropOldest, KeepsTheNewestCapacityMessagesInOrder) {
  auto segment = make();
  auto q = queue(segment, "q", kDropping);
  auto producer = q.producer();
  auto consumer = q.consumer();
  fill(producer, 11);
  EXPECT_EQ(q.depth(), 4u);
  EXPECT_EQ(dropped(), 7u);
  for (const char* text : {"m7", "m8", "m9", "m10"}) expect_next(consumer, text);
  EXPECT_EQ(consumer.try_receive().outcome(), Outcome::empty);
  fill(producer, 4);
  EXPECT_EQ(dropped(), 7u) << "there was room";
}

TEST_F(DropOldest, AnswersFullAtOnceWhereTheOldestIsHeldOrWaitsForRedelivery) {
  auto segment = make();
  auto q = queue(segment, "q", kDropping);
  auto producer = q.producer();
  auto consumer = q.consumer();
  fill(producer, 4);
  Message held = consumer.receive();
  EXPECT_EQ(producer.claim(8, kPatience).outcome(), Outcome::full) << "held";
  EXPECT_EQ(producer.try_claim(8).outcome(), Outcome::full);
  EXPECT_EQ(producer.try_claim_batch(3, 8).outcome(), Outcome::full);
  held.requeue();
  EXPECT_EQ(producer.claim(8, kPatience).outcome(), Outcome::full) << "to be redelivered";
  held = consumer.receive();
  EXPECT_TRUE(held.redelivered());
  EXPECT_EQ(producer.claim(8, kPatience).outcome(), Outcome::full) << "held once more";
  EXPECT_EQ(dropped(), 0u);
  held.release();
  fill(producer, 2);
  EXPECT_EQ(dropped(), 1u) << "the first had the room of the message that was released";
  for (const char* text : {"m2", "m3", "m0", "m1"}) expect_next(consumer, text);
}

TEST_F(DropOldest, AnswersFullWhileTheOldestIsStillBeingWritten) {
  auto segment = make();
  auto q = queue(segment, "q", kDropping);
  auto producer = q.producer();
  auto slow = q.producer();
  auto consumer = q.consumer();
  auto open = slow.claim(2);
  fill(producer, 3);
  EXPECT_EQ(producer.claim(8, kPatience).outcome(), Outcome::full);
  open.abort();
  fill(producer, 1);
  EXPECT_EQ(dropped(), 0u) << "an aborted claim is no message";
  for (const char* text : {"m0", "m1", "m2", "m0"}) expect_next(consumer, text);
}

TEST_F(DropOldest, DropsOneForABatch) {
  auto segment = make();
  auto q = queue(segment, "q", kDropping);
  auto producer = q.producer();
  fill(producer, 4);
  auto batch = producer.claim_batch(3, 8);
  EXPECT_EQ(batch.size(), 1u);
  EXPECT_EQ(dropped(), 1u);
}

TEST_F(DropOldest, GivesTheBlockOfADroppedMessageToTheNewOne) {
  auto segment = make({.size_bytes = 1u << 20, .blocks = {{{4096, 4}}}});
  auto q = queue(segment, "q", kDropping);
  auto producer = q.producer();
  auto consumer = q.consumer();
  for (int i = 0; i < 9; ++i)
    ASSERT_EQ(producer.send(bytes_of(std::string(3000, static_cast<char>('a' + i))), kPatience), Outcome::ok) << i;
  EXPECT_EQ(dropped(), 5u);
  for (const char c : {'f', 'g', 'h', 'i'}) expect_next(consumer, std::string(3000, c));
}

TEST_F(DropOldest, DropsNothingForABlockFromAQueueThatHasRoom) {
  auto segment = make({.size_bytes = 1u << 20, .blocks = {{{4096, 2}}}});
  auto q = queue(segment, "q", kDropping);
  auto producer = q.producer();
  const std::string large(3000, 'L');
  for (int i = 0; i < 2; ++i) ASSERT_EQ(producer.send(bytes_of(large)), Outcome::ok);
  EXPECT_EQ(producer.claim(3000, kPatience).outcome(), Outcome::no_block);
  EXPECT_EQ(producer.claim(5000).outcome(), Outcome::too_large);
  EXPECT_EQ(q.depth(), 2u);
  EXPECT_EQ(dropped(), 0u);
}

TEST_F(DropOldest, IsAlsoWhatAForwardDoes) {
  auto segment = make();
  auto from = queue(segment, "from", {.capacity = 4});
  auto q = queue(segment, "q", kDropping);
  auto into = q.producer();
  fill(into, 4);
  ASSERT_EQ(from.producer().send(bytes_of("forwarded")), Outcome::ok);
  auto taker = from.consumer();
  Message message = taker.receive();
  EXPECT_EQ(message.forward(into), Outcome::ok);
  auto consumer = q.consumer();
  for (const char* text : {"m1", "m2", "m3", "forwarded"}) expect_next(consumer, text);
}

TEST_F(DropOldest, HearsOfTheEndOfTheQueue) {
  auto segment = make();
  auto q = queue(segment, "q", kDropping);
  auto producer = q.producer();
  fill(producer, 4);
  q.close();
  EXPECT_EQ(producer.claim(8).outcome(), Outcome::closed);
  EXPECT_EQ(q.depth(), 4u) << "a closed queue drops nothing";
  ASSERT_TRUE(segment.remove_queue("q"));
  EXPECT_EQ(producer.claim(8).outcome(), Outcome::removed);
}

// Two producers drop while a consumer receives: what comes is in order for each of them, and what does not come was
// counted as dropped.
TEST_F(DropOldest, CountsEachMessageThatDidNotCome) {
  auto segment = make();
  auto q = queue(segment, "q", kDropping);
  constexpr std::uint64_t kEach = 100'000;
  const auto produce = [&](std::uint64_t who) {
    auto producer = q.producer();
    for (std::uint64_t i = 0; i < kEach;) {
      const std::uint64_t value = who << 32 | i;
      const Outcome outcome = producer.send(std::as_bytes(std::span(&value, 1)));
      ASSERT_TRUE(outcome == Outcome::ok || outcome == Outcome::full) << outcome;
      if (outcome == Outcome::ok) ++i;
    }
  };
  std::uint64_t came = 0;
  std::thread receiving([&] {
    auto consumer = q.consumer();
    std::int64_t last[2] = {-1, -1};
    while (Message message = consumer.receive(kPatience)) {
      std::uint64_t value = 0;
      ASSERT_EQ(message.size(), sizeof value);
      std::memcpy(&value, message.data().data(), sizeof value);
      EXPECT_FALSE(message.redelivered());
      std::int64_t& before = last[value >> 32];
      ASSERT_LT(before, static_cast<std::int64_t>(value & 0xffffffff));
      before = static_cast<std::int64_t>(value & 0xffffffff);
      ++came;
      message.release();
    }
  });
  std::thread one([&] { produce(0); }), two([&] { produce(1); });
  one.join();
  two.join();
  q.close();
  receiving.join();
  EXPECT_EQ(came + dropped(), 2 * kEach);
}

}  // namespace
}  // namespace shmq::test
