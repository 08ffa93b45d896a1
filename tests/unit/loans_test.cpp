// Loans: moved, moved from, assigned over, outliving the handle, the queue and the segment that they came
// from.
#include "support.hpp"

namespace shmq::test {
namespace {

using LoansTest = SegmentTest;

TEST_F(LoansTest, MoveAndLeaveNothingBehind) {
  auto segment = make();
  auto q = queue(segment, "q", {.capacity = 8});
  auto producer = q.producer();
  auto consumer = q.consumer();
  auto claim = producer.claim(3);
  auto moved = std::move(claim);
  EXPECT_FALSE(claim);
  claim.publish();  // nothing: it has nothing
  claim.abort();
  std::memcpy(moved.data().data(), "one", 3);
  moved.publish();
  moved.publish();  // once
  ASSERT_EQ(producer.send(bytes_of("two")), Outcome::ok);

  Message message = consumer.receive();
  Message taken = std::move(message);
  EXPECT_FALSE(message);
  EXPECT_EQ(message.id(), MessageId{});
  EXPECT_EQ(message.type() + message.deliveries() + message.producer_pid(), 0u);
  EXPECT_FALSE(message.redelivered());
  message.release();
  message.requeue();
  EXPECT_EQ(text_of(taken), "one");
  taken = consumer.receive();  // what it held is given back
  EXPECT_EQ(text_of(taken), "two");
  taken.release();
  taken.release();
  expect_next(consumer, "one", true);

  auto batch = producer.claim_batch(2, 4);
  auto moved_batch = std::move(batch);
  EXPECT_FALSE(batch);
  EXPECT_EQ(batch.size(), 0u);
  batch.publish();
  moved_batch = producer.claim_batch(2, 4);  // the first two are aborted
  moved_batch.publish(1);
  auto received = consumer.receive_batch(8);
  EXPECT_EQ(received.size(), 1u);
  auto moved_received = std::move(received);
  EXPECT_FALSE(received);
  received.release();
  moved_received.release();
  EXPECT_EQ(consumer.try_receive().outcome(), Outcome::empty);
}

TEST_F(LoansTest, AreWhatTheyAreByDefault) {
  Message message;
  MessageBatch messages;
  Claim<void> claim;
  ClaimBatch claims;
  EXPECT_FALSE(message || messages || claim || claims);
  EXPECT_EQ(message.size() + messages.size() + claim.size() + claims.size(), 0u);
  message.release();
  messages.requeue();
  claim.abort();
  claims.publish();
}

TEST_F(LoansTest, OutliveTheirHandles) {
  auto segment = std::make_unique<Segment>(make());
  Message held, dropped;
  Claim<void> claimed, block;
  ClaimBatch rooms;
  {
    auto q = std::make_unique<Queue<void>>(queue(*segment, "q", {.capacity = 16}));
    {
      auto producer = q->producer();
      for (const char* text : {"one", "two", "three"}) ASSERT_EQ(producer.send(bytes_of(text)), Outcome::ok);
      claimed = producer.claim(4);
      block = producer.claim(3000);
      rooms = producer.claim_batch(2, 3);
    }
    {
      auto consumer = q->consumer();
      held = consumer.receive();
      dropped = consumer.receive();
    }
    q.reset();
  }
  segment.reset();  // the last handle is gone; the loans keep the attachment
  EXPECT_EQ(text_of(held), "one");
  EXPECT_EQ(held.id().position, 0u);
  held.release();
  dropped = {};
  std::memcpy(claimed.data().data(), "four", 4);
  claimed.publish();
  std::memset(block.data().data(), 'b', 3000);
  block.publish();
  rooms = {};
  auto again = Segment::open(name_).value();
  auto consumer = again.open_queue("q").value().consumer();
  expect_next(consumer, "two", true);
  expect_next(consumer, "three");
  expect_next(consumer, "four");
  expect_next(consumer, std::string(3000, 'b'));
  EXPECT_EQ(consumer.try_receive().outcome(), Outcome::empty);
  EXPECT_EQ(again.reap().total(), 0u) << "who held them has left in order";
}

TEST_F(LoansTest, HandlesMoveWhileLoansAreOpen) {
  auto segment = make();
  auto q = queue(segment, "q", {.capacity = 8});
  auto producer = q.producer();
  auto claim = producer.claim(1);
  auto moved = std::move(producer);
  claim.data()[0] = std::byte{'x'};
  claim.publish();
  ASSERT_EQ(moved.send(bytes_of("y")), Outcome::ok);
  auto consumer = q.consumer();
  Message x = consumer.receive();
  auto other = std::move(consumer);
  expect_next(other, "y");
  EXPECT_EQ(text_of(x), "x");
  x.release();
  other = q.consumer();
  EXPECT_EQ(other.try_receive().outcome(), Outcome::empty);
}

}  // namespace
}  // namespace shmq::test
