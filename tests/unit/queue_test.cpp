// Queues through the public API, in one process: every outcome, batches, purge, close, the typed face,
// metadata.
#include <set>
#include <thread>

#include "support.hpp"

namespace shmq::test {
namespace {

using QueueTest = SegmentTest;

TEST_F(QueueTest, ProducesEveryOutcome) {
  auto segment = make({.size_bytes = 1u << 20, .blocks = {{{4096, 1}}}});
  auto q = queue(segment, "q", {.capacity = 2});
  auto rejecting = queue(segment, "rejecting", {.capacity = 2, .on_full = OnFull::reject});
  auto producer = q.producer();
  auto consumer = q.consumer();
  std::set<Outcome> seen;
  const auto expect = [&](Outcome outcome, Outcome expected) {
    EXPECT_EQ(outcome, expected);
    seen.insert(outcome);
  };
  expect(consumer.try_receive().outcome(), Outcome::empty);
  expect(consumer.receive(1ms).outcome(), Outcome::timeout);
  expect(producer.try_send(bytes_of("a")), Outcome::ok);
  expect(producer.send(bytes_of("b")), Outcome::ok);
  expect(producer.try_send(bytes_of("c")), Outcome::full);
  expect(producer.try_claim_batch(4, 1).outcome(), Outcome::full);
  expect(producer.send(bytes_of("c"), 1ms), Outcome::timeout);
  for (int i = 0; i < 2; ++i) expect(rejecting.producer().send(bytes_of("x")), Outcome::ok);
  expect(rejecting.producer().send(bytes_of("x"), 1h), Outcome::full);
  std::stop_source stop;
  stop.request_stop();
  expect(producer.claim(1, stop.get_token()).outcome(), Outcome::stopped);
  expect(q.purge().value() == 2 ? Outcome::ok : Outcome::corrupt, Outcome::ok);
  expect(consumer.receive({stop.get_token(), 1h}).outcome(), Outcome::stopped);
  expect(producer.claim(4097).outcome(), Outcome::too_large);
  expect(producer.claim_batch(2, producer.max_inline() + 1).outcome(), Outcome::too_large);
  auto block = producer.claim(4096);
  expect(block.outcome(), Outcome::ok);
  expect(producer.try_claim(4096).outcome(), Outcome::no_block);
  expect(rejecting.purge().value() == 2 ? Outcome::ok : Outcome::corrupt, Outcome::ok);
  expect(rejecting.producer().claim(4096, 1h).outcome(), Outcome::no_block);
  block.abort();
  q.close();
  expect(producer.claim(1).outcome(), Outcome::closed);
  expect(producer.claim(4096).outcome(), Outcome::closed);
  expect(consumer.receive().outcome(), Outcome::closed);
  expect(consumer.try_receive_batch(3).outcome(), Outcome::closed);
  auto other = queue(segment, "other", {.capacity = 2});
  auto typed = segment.queue<std::uint64_t>("typed", {.capacity = 2}).value();
  ASSERT_EQ(typed.bytes().producer().send(bytes_of("three")), Outcome::ok);
  expect(typed.consumer().receive().outcome(), Outcome::corrupt);
  ASSERT_TRUE(segment.remove_queue("other"));
  expect(other.producer().claim(1).outcome(), Outcome::removed);
  expect(other.consumer().receive().outcome(), Outcome::removed);
  auto spsc = queue(segment, "spsc", {.kind = QueueKind::spsc});
  auto owner = spsc.producer();
  expect(spsc.producer().claim(1).outcome(), Outcome::busy);
  expect(shmq::Run().done(), Outcome::stale);  // of task tables: tests/unit/tasks_test.cpp
  // `detached` is what a child of fork() hears: tests/faults/fork_test.cpp.
  for (int outcome = 0; outcome <= static_cast<int>(Outcome::corrupt); ++outcome)
    if (static_cast<Outcome>(outcome) != Outcome::detached) {
      EXPECT_TRUE(seen.contains(static_cast<Outcome>(outcome))) << static_cast<Outcome>(outcome);
    }
}

TEST_F(QueueTest, CarriesLengthTypeAndIdAndMarksWhatComesAgain) {
  auto segment = make();
  auto q = queue(segment, "q", {.capacity = 8});
  auto producer = q.producer();
  auto consumer = q.consumer();
  ASSERT_EQ(producer.send(bytes_of("first"), {}, 42), Outcome::ok);
  ASSERT_EQ(producer.send({}, {}, 43), Outcome::ok);
  {
    Message message = consumer.receive();
    EXPECT_EQ(text_of(message), "first");
    EXPECT_EQ(message.type(), 42u);
    EXPECT_EQ(message.id(), (MessageId{q.generation(), 0}));
    EXPECT_FALSE(message.redelivered());
    EXPECT_EQ(message.deliveries(), 0u);
    EXPECT_EQ(message.producer_pid(), 0u) << "not kept by this queue";
    EXPECT_EQ(message.published_ns(), 0);
  }  // dropped
  for (std::uint32_t times = 1; times < 4; ++times) {
    Message message = consumer.receive();
    EXPECT_EQ(text_of(message), "first");
    EXPECT_EQ(message.type(), 42u);
    EXPECT_EQ(message.id().position, 0u);
    EXPECT_TRUE(message.redelivered());
    EXPECT_EQ(message.deliveries(), times);
    times == 3 ? message.release() : message.requeue();
    EXPECT_FALSE(message);
  }
  Message empty = consumer.receive();
  EXPECT_EQ(empty.size(), 0u);
  EXPECT_EQ(empty.type(), 43u);
  EXPECT_EQ(empty.id().position, 1u);
  empty.release();
  EXPECT_EQ(consumer.try_receive().outcome(), Outcome::empty);
}

TEST_F(QueueTest, PublishesLessThanWasClaimed) {
  auto segment = make();
  auto q = queue(segment, "q", {.capacity = 4});
  auto producer = q.producer();
  auto consumer = q.consumer();
  for (const std::size_t claimed : {std::size_t{40}, std::size_t{3000}}) {
    auto claim = producer.claim(claimed);
    std::memcpy(claim.data().data(), "short", 5);
    claim.publish(5);
    expect_next(consumer, "short");
    claim = producer.claim(claimed);
    std::memset(claim.data().data(), 'x', claimed);
    claim.publish(claimed + 100);  // never more
    expect_next(consumer, std::string(claimed, 'x'));
  }
}

TEST_F(QueueTest, StepsOverAbortedClaims) {
  auto segment = make();
  auto q = queue(segment, "q", {.capacity = 4});
  auto producer = q.producer();
  auto consumer = q.consumer();
  for (int lap = 0; lap < 10; ++lap) {
    { auto dropped = producer.claim(10); }
    { auto dropped = producer.claim(5000); }
    auto aborted = producer.claim(10);
    ASSERT_EQ(producer.send(bytes_of("after")), Outcome::ok);
    EXPECT_EQ(consumer.try_receive().outcome(), Outcome::empty) << "it waits behind the claim";
    aborted.abort();
    EXPECT_FALSE(aborted);
    expect_next(consumer, "after");
  }
}

TEST_F(QueueTest, KeepsMetadataWhereItWasDeclared) {
  auto segment = make();
  auto q = queue(segment, "q", {.capacity = 4, .slot_bytes = 128, .metadata = true});
  auto producer = q.producer();
  auto consumer = q.consumer();
  EXPECT_EQ(producer.max_inline(), 128u - 48u);
  for (const std::size_t size : {std::size_t{8}, std::size_t{1000}}) {
    const std::int64_t before = base::realtime_ns();
    auto claim = producer.claim(size);
    claim.set_correlation(77);
    claim.publish();
    Message message = consumer.receive();
    EXPECT_EQ(message.producer_pid(), static_cast<std::uint32_t>(::getpid()));
    EXPECT_EQ(message.correlation(), 77u);
    EXPECT_GE(message.published_ns(), before);
    EXPECT_LE(message.published_ns(), base::realtime_ns());
    message.release();
  }
  auto batch = producer.claim_batch(2, 8);
  batch.publish();
  Message message = consumer.receive();
  EXPECT_EQ(message.correlation(), 0u) << "nothing of an earlier lap";
  message.release();
}

TEST_F(QueueTest, ClaimsAndReceivesInBatches) {
  auto segment = make();
  auto q = queue(segment, "q", {.capacity = 128});
  auto producer = q.producer();
  auto consumer = q.consumer();
  auto batch = producer.claim_batch(1000, 8);
  ASSERT_EQ(batch.size(), 64u) << "64 is the most";
  for (std::size_t i = 0; i < 64; ++i) {
    const std::string text = "m" + std::to_string(i);
    std::memcpy(batch[i].data(), text.data(), text.size());
    batch.set(i, text.size(), static_cast<std::uint32_t>(i));
  }
  batch.publish(60);
  EXPECT_FALSE(batch);
  auto got = consumer.receive_batch(10);
  ASSERT_EQ(got.size(), 10u);
  std::uint32_t i = 0;
  got.for_each([&](const Message& message) {
    EXPECT_EQ(text_of(message), "m" + std::to_string(i));
    EXPECT_EQ(message.type(), i++);
  });
  EXPECT_EQ(got.size(), 10u) << "reading takes none away";
  Message first = got.pop_front(), second = got.pop_front();
  EXPECT_EQ(text_of(first), "m0");
  EXPECT_EQ(text_of(second), "m1");
  EXPECT_EQ(got.size(), 8u);
  got.release();
  EXPECT_FALSE(got);
  second.release();
  first.requeue();
  auto again = consumer.receive_batch(10);
  EXPECT_EQ(again.size(), 1u) << "a redelivered message comes alone";
  again.for_each([&](const Message& message) { EXPECT_TRUE(message.redelivered()); });
  again.release();
  { auto dropped = consumer.receive_batch(3); }
  for (const char* text : {"m10", "m11", "m12"}) expect_next(consumer, text, true);
  std::size_t rest = 0;
  while (auto more = consumer.try_receive_batch(64)) {
    more.for_each([](const Message& message) { EXPECT_FALSE(message.redelivered()); });
    rest += more.size();
    more.release();
  }
  EXPECT_EQ(rest, 60u - 13u) << "and of the four that were not published nobody hears";
  // A batch that is taken apart to its end.
  ASSERT_EQ(producer.send(bytes_of("x")), Outcome::ok);
  auto one = consumer.receive_batch(5);
  Message x = one.pop_front();
  EXPECT_FALSE(one);
  EXPECT_EQ(one.pop_front().outcome(), Outcome::empty);
  x.release();
  auto dropped = producer.claim_batch(3, 8);
  dropped.abort();
  EXPECT_EQ(consumer.try_receive().outcome(), Outcome::empty);
}

TEST_F(QueueTest, PurgesWhatIsThereAndNothingThatComesLater) {
  auto segment = make({.size_bytes = 4u << 20, .blocks = {{{4096, 4}}}});
  auto q = queue(segment, "q", {.capacity = 16});
  auto producer = q.producer();
  auto consumer = q.consumer();
  EXPECT_EQ(q.purge().value(), 0u);
  const std::string large(4000, 'L');
  for (int i = 0; i < 4; ++i) ASSERT_EQ(producer.try_send(bytes_of(large)), Outcome::ok);
  ASSERT_EQ(producer.try_send(bytes_of("held")), Outcome::ok);
  { auto aborted = producer.claim(1); }
  ASSERT_EQ(producer.try_send(bytes_of("last")), Outcome::ok);
  consumer.receive().requeue();
  EXPECT_EQ(q.purge().value(), 6u) << "the one that waited for redelivery is among them";
  EXPECT_EQ(q.depth(), 0u);
  EXPECT_EQ(consumer.try_receive().outcome(), Outcome::empty);
  for (int i = 0; i < 4; ++i)
    EXPECT_EQ(producer.try_send(bytes_of(large)), Outcome::ok) << "their blocks are free";
  q.close();
  EXPECT_EQ(q.purge().value(), 4u);
  EXPECT_EQ(consumer.receive().outcome(), Outcome::closed);
}

struct Point {
  std::int32_t x, y;
  double weight;
};

TEST_F(QueueTest, TypedFaceCarriesOneElementAMessage) {
  auto segment = make();
  auto q = segment.queue<Point>("points", {.capacity = 8}).value();
  auto producer = q.producer();
  auto consumer = q.consumer();
  ASSERT_EQ(producer.send({1, 2, 0.5}), Outcome::ok);
  auto claim = producer.claim();
  ASSERT_TRUE(claim);
  *claim = {3, 4, 1.5};
  claim->y = 5;
  claim.set_type(9);
  claim.publish();
  auto first = consumer.receive();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->x, 1);
  first.requeue();
  first = consumer.try_receive();
  EXPECT_TRUE(first.redelivered());
  EXPECT_EQ(first.deliveries(), 1u);
  first.release();
  auto second = consumer.receive();
  EXPECT_EQ((*second).y, 5);
  EXPECT_EQ(second.type(), 9u);
  second.release();
  EXPECT_EQ(consumer.try_receive().outcome(), Outcome::empty);
}

TEST_F(QueueTest, TypedFaceLeavesAMessageOfAnotherSizeInTheQueue) {
  auto segment = make();
  auto q = segment.queue<Point>("points", {.capacity = 8}).value();
  ASSERT_EQ(q.bytes().producer().send(bytes_of("text")), Outcome::ok);
  auto consumer = q.consumer();
  EXPECT_EQ(consumer.receive().outcome(), Outcome::corrupt);
  Message message = consumer.bytes().receive();
  EXPECT_EQ(text_of(message), "text");
  message.release();
}

TEST_F(QueueTest, LargeElementsTravelInBlocks) {
  struct Large {
    std::byte bytes[20'000];
  };
  auto segment = make();
  auto q = segment.queue<Large>("large", {.capacity = 4}).value();
  auto producer = q.producer();
  auto claim = producer.claim();
  ASSERT_TRUE(claim) << claim.outcome();
  claim->bytes[19'999] = std::byte{7};
  claim.publish();
  auto message = q.consumer().receive();
  ASSERT_TRUE(message);
  EXPECT_EQ(message->bytes[19'999], std::byte{7});
  message.release();
}

TEST_F(QueueTest, ManyThreadsMakeHandlesOfTheirOwn) {
  auto segment = make();
  auto q = queue(segment, "q", {.capacity = 64});
  std::atomic<std::uint64_t> sum{0}, count{0};
  std::vector<std::jthread> threads;
  for (std::uint64_t t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      auto producer = q.producer();
      for (std::uint64_t i = 0; i < 5000; ++i) {
        const std::uint64_t value = t * 5000 + i;
        ASSERT_EQ(producer.send(std::as_bytes(std::span(&value, 1))), Outcome::ok);
      }
    });
    threads.emplace_back([&] {
      auto consumer = q.consumer();
      for (;;) {
        Message message = consumer.receive();
        if (message.outcome() == Outcome::closed) return;
        std::uint64_t value = 0;
        std::memcpy(&value, message.data().data(), sizeof value);
        sum += value;
        message.release();
        if (++count == 15'000) q.close();
      }
    });
  }
  threads.clear();
  EXPECT_EQ(count, 15'000u);
  EXPECT_EQ(sum, 15'000u * 14'999u / 2);
}

}  // namespace
}  // namespace shmq::test
