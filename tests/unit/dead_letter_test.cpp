// reject(), the delivery limit, and the dead-letter queue that both send to.
#include <thread>

#include "support.hpp"

namespace shmq::test {
namespace {

class DeadLetter : public SegmentTest {
 protected:
  QueueSnapshot seen(const char* name) const { return *inspect_segment(name_).value().queue(name)->queue; }
  /// "jobs" with the dead-letter queue "dead".
  void declare(const SegmentOptions& options, QueueOptions jobs, const QueueOptions& dead) {
    segment_.emplace(make(options));
    dead_.emplace(queue(*segment_, "dead", dead));
    jobs.dead_letter = "dead";
    jobs_.emplace(queue(*segment_, "jobs", jobs));
  }
  void declare(std::uint32_t limit, std::uint64_t dead_capacity = 8) {
    declare({.size_bytes = 4u << 20, .blocks = {{{4096, 4}}}}, {.capacity = 8, .delivery_limit = limit},
            {.capacity = dead_capacity});
  }
  void send(std::string_view text, std::uint32_t type = 0) {
    ASSERT_EQ(jobs_->producer().try_send(bytes_of(text), type), Outcome::ok);
  }
  void fill_dead() {
    while (dead_->producer().try_send(bytes_of("filler")) == Outcome::ok) {
    }
  }
  std::optional<Segment> segment_;
  std::optional<Queue<void>> jobs_, dead_;
};

TEST_F(DeadLetter, TakesAMessageThatWasHandedOutAsOftenAsTheLimitAllows) {
  for (const std::size_t size : {std::size_t{20}, std::size_t{48}, std::size_t{3000}}) {
    declare(3);
    const std::string poison(size, 'p');
    send(poison, 77);
    send("next");
    auto consumer = jobs_->consumer();
    MessageId id;
    for (std::uint32_t times = 0; times < 3; ++times) {
      Message message = consumer.receive(kPatience);
      EXPECT_EQ(text_of(message), poison);
      EXPECT_EQ(message.deliveries(), times);
      id = message.id();
      message.requeue();
    }
    expect_next(consumer, "next");
    EXPECT_EQ(consumer.try_receive().outcome(), Outcome::empty);
    auto undertaker = dead_->consumer();
    Message message = undertaker.try_receive();
    EXPECT_EQ(text_of(message), poison);
    EXPECT_EQ(message.id(), id);
    EXPECT_EQ(message.type(), 77u);
    EXPECT_TRUE(message.redelivered()) << "marked: somebody has seen it";
    message.release();
    EXPECT_EQ(seen("jobs").dead_lettered, 1u);
    EXPECT_EQ(seen("jobs").dead_letter_refused, 0u);
    EXPECT_EQ(seen("jobs").slots.free, 8u);
    const auto blocks = inspect_segment(name_)->blocks[0];
    EXPECT_EQ(blocks.free, blocks.count);
    ASSERT_TRUE(Segment::remove(name_));
  }
}

TEST_F(DeadLetter, KnowsTheLargestLimit) {
  declare(255);
  send("poison");
  auto consumer = jobs_->consumer();
  for (int i = 0; i < 255; ++i) {
    Message message = consumer.try_receive();
    ASSERT_TRUE(message) << i;
  }
  EXPECT_EQ(consumer.try_receive().outcome(), Outcome::empty);
  auto undertaker = dead_->consumer();
  expect_next(undertaker, "poison", true);
}

TEST_F(DeadLetter, TakesWhatIsRejectedAtItsFirstDelivery) {
  declare(0);
  send("bad", 5);
  send(std::string(3000, 'B'));
  send("good");
  auto consumer = jobs_->consumer();
  Message bad = consumer.receive();
  const MessageId id = bad.id();
  EXPECT_EQ(bad.reject(), Outcome::ok);
  EXPECT_FALSE(bad);
  EXPECT_EQ(bad.reject(), Outcome::empty) << "there is no message any more";
  EXPECT_EQ(consumer.receive().reject(), Outcome::ok);
  expect_next(consumer, "good");
  auto undertaker = dead_->consumer();
  Message message = undertaker.try_receive();
  EXPECT_EQ(text_of(message), "bad");
  EXPECT_EQ(message.id(), id);
  EXPECT_TRUE(message.redelivered());
  message.release();
  expect_next(undertaker, std::string(3000, 'B'), true);
  EXPECT_EQ(seen("jobs").dead_lettered, 2u);
  EXPECT_EQ(seen("jobs").rejected, 0u);
}

TEST_F(DeadLetter, IsNotNeededToReject) {
  auto segment = make({.size_bytes = 4u << 20, .blocks = {{{4096, 4}}}});
  auto q = queue(segment, "q", {.capacity = 4});
  auto producer = q.producer();
  auto consumer = q.consumer();
  for (const std::size_t size : {std::size_t{20}, std::size_t{3000}}) {
    ASSERT_EQ(producer.try_send(bytes_of(std::string(size, 'x'))), Outcome::ok);
    EXPECT_EQ(consumer.receive().reject(), Outcome::ok);
    EXPECT_EQ(consumer.try_receive().outcome(), Outcome::empty);
  }
  EXPECT_EQ(seen("q").rejected, 2u);
  EXPECT_EQ(inspect_segment(name_)->blocks[0].free, 4u);
  auto typed = segment.queue<std::uint64_t>("typed", {.capacity = 4}).value();
  ASSERT_EQ(typed.producer().try_send(7), Outcome::ok);
  EXPECT_EQ(typed.consumer().receive().reject(), Outcome::ok);
  EXPECT_EQ(typed.consumer().try_receive().outcome(), Outcome::empty);
}

TEST_F(DeadLetter, ThatIsFullLeavesARejectedMessageWithItsHolder) {
  declare(0, 2);
  fill_dead();
  send("bad");
  auto consumer = jobs_->consumer();
  Message bad = consumer.receive();
  EXPECT_EQ(bad.reject(), Outcome::full);
  EXPECT_TRUE(bad);
  EXPECT_EQ(text_of(bad), "bad");
  dead_->consumer().receive().release();
  EXPECT_EQ(bad.reject(), Outcome::ok);
  const QueueSnapshot jobs = seen("jobs");
  EXPECT_EQ(jobs.dead_letter_refused, 1u);
  EXPECT_EQ(jobs.dead_lettered, 1u);
}

TEST_F(DeadLetter, ThatIsClosedOrRemovedSaysSo) {
  declare(0);
  send("bad");
  auto consumer = jobs_->consumer();
  Message bad = consumer.receive();
  dead_->close();
  EXPECT_EQ(bad.reject(), Outcome::closed);
  dead_.reset();
  ASSERT_TRUE(segment_->remove_queue("dead"));
  EXPECT_EQ(bad.reject(), Outcome::removed);
  EXPECT_EQ(bad.reject(), Outcome::removed) << "and there is none of that name";
  auto anew = queue(*segment_, "dead", {.capacity = 2});
  EXPECT_EQ(bad.reject(), Outcome::ok) << "a queue of that name serves again";
  EXPECT_EQ(anew.depth(), 1u);
}

TEST_F(DeadLetter, ThatHasNoBlockForACopySaysSo) {
  // A copy, since its slots are smaller: what is in a block already needs none.
  declare({.size_bytes = 4u << 20, .blocks = {{{4096, 1}}}}, {.capacity = 8, .slot_bytes = 256}, {.capacity = 8});
  send(std::string(200, 'x'));
  auto consumer = jobs_->consumer();
  Message bad = consumer.receive();
  auto taken = jobs_->producer().claim(4000);
  EXPECT_EQ(bad.reject(), Outcome::no_block);
  EXPECT_TRUE(bad);
  taken.abort();
  EXPECT_EQ(bad.reject(), Outcome::ok);
}

TEST_F(DeadLetter, ThatIsFullKeepsTheMessageAsideAndLetsTheOthersPass) {
  declare(1, 2);
  fill_dead();
  send("poison");
  auto consumer = jobs_->consumer();
  consumer.receive().requeue();
  for (int i = 0; i < 30; ++i) {
    send("m" + std::to_string(i));
    expect_next(consumer, "m" + std::to_string(i));
    if (i % 7 == 6) break;  // one lap of eight slots: the eighth is the one that waits
  }
  EXPECT_EQ(consumer.try_receive().outcome(), Outcome::empty);
  QueueSnapshot jobs = seen("jobs");
  EXPECT_EQ(jobs.slots.redeliver, 1u);
  EXPECT_EQ(jobs.dead_lettered, 0u);
  EXPECT_GE(jobs.dead_letter_refused, 1u);
  dead_->consumer().receive().release();
  EXPECT_EQ(consumer.receive(200ms).outcome(), Outcome::timeout);
  jobs = seen("jobs");
  EXPECT_EQ(jobs.slots.redeliver, 0u) << "it is tried again while somebody waits";
  EXPECT_EQ(jobs.dead_lettered, 1u);
}

TEST_F(DeadLetter, ThatIsFullIsNotAskedAllTheTime) {
  declare(1, 2);
  fill_dead();
  for (int i = 0; i < 4; ++i) send("poison");
  auto consumer = jobs_->consumer();
  auto another = jobs_->consumer();
  auto four = consumer.receive_batch(4);
  ASSERT_EQ(four.size(), 4u);
  four.requeue();
  const std::int64_t begin_ns = base::monotonic_ns();
  std::uint64_t calls = 0;
  while (base::monotonic_ns() - begin_ns < 300'000'000) {
    EXPECT_EQ((calls % 2 == 0 ? consumer : another).try_receive().outcome(), Outcome::empty);
    ++calls;
  }
  const std::int64_t slices = (base::monotonic_ns() - begin_ns) / 20'000'000;
  const QueueSnapshot jobs = seen("jobs");
  EXPECT_EQ(jobs.slots.redeliver, 4u);
  EXPECT_GE(jobs.dead_letter_refused, 2u) << calls << " calls";
  EXPECT_LE(jobs.dead_letter_refused, static_cast<std::uint64_t>(slices + 2)) << calls << " calls";
}

TEST_F(DeadLetter, IsTriedAgainByConsumersThatNeverWaitAndByThoseThatSleep) {
  for (const bool busy : {true, false}) {
    declare({.size_bytes = 16u << 20}, {.capacity = 1u << 16, .delivery_limit = 1}, {.capacity = 2});
    fill_dead();
    send("poison");
    {
      auto first = jobs_->consumer();
      first.receive().requeue();
      EXPECT_EQ(first.try_receive().outcome(), Outcome::empty);
      EXPECT_GE(seen("jobs").dead_letter_refused, 1u);
    }  // the one that was refused goes
    auto consumer = jobs_->consumer();
    EXPECT_EQ(consumer.try_receive().outcome(), Outcome::empty);
    dead_->consumer().receive().release();
    if (busy) {
      auto producer = jobs_->producer();
      for (int i = 0; i < 1000; ++i) {  // each of them is there when it is asked for
        ASSERT_EQ(producer.try_send(bytes_of("m")), Outcome::ok);
        consumer.try_receive().release();
        std::this_thread::sleep_for(100us);
      }
    } else {
      EXPECT_EQ(consumer.receive(100ms).outcome(), Outcome::timeout);
    }
    EXPECT_EQ(seen("jobs").dead_lettered, 1u) << (busy ? "busy" : "asleep");
    ASSERT_TRUE(Segment::remove(name_));
  }
}

TEST_F(DeadLetter, ThatIsFullKeepsTheEndOfTheStreamWaiting) {
  declare(1, 2);
  fill_dead();
  send("poison");
  auto consumer = jobs_->consumer();
  consumer.receive().requeue();
  jobs_->close();
  EXPECT_EQ(consumer.receive(50ms).outcome(), Outcome::timeout) << "a message is still kept";
  EXPECT_EQ(consumer.try_receive().outcome(), Outcome::empty);
  std::thread making_room([&] {
    std::this_thread::sleep_for(50ms);
    dead_->consumer().receive().release();
  });
  EXPECT_EQ(consumer.receive(kPatience).outcome(), Outcome::closed);
  making_room.join();
}

TEST_F(DeadLetter, MayDropItsOwnOldest) {
  declare({.size_bytes = 4u << 20}, {.capacity = 8, .delivery_limit = 1},
          {.capacity = 2, .on_full = OnFull::drop_oldest});
  auto consumer = jobs_->consumer();
  for (int i = 0; i < 5; ++i) {
    send("p" + std::to_string(i));
    consumer.receive().requeue();
  }
  EXPECT_EQ(consumer.try_receive().outcome(), Outcome::empty);
  auto undertaker = dead_->consumer();
  for (const char* text : {"p3", "p4"}) expect_next(undertaker, text, true);
}

TEST_F(DeadLetter, KeepsTheCorrelation) {
  declare({.size_bytes = 4u << 20}, {.capacity = 8, .slot_bytes = 128, .metadata = true},
          {.capacity = 8, .slot_bytes = 128, .metadata = true});
  auto claim = jobs_->producer().claim(8);
  claim.set_correlation(4711);
  claim.publish();
  EXPECT_EQ(jobs_->consumer().receive().reject(), Outcome::ok);
  auto undertaker = dead_->consumer();
  Message message = undertaker.try_receive();
  EXPECT_EQ(message.correlation(), 4711u);
  message.release();
}

TEST_F(DeadLetter, IsRefusedWhereItCannotServe) {
  declare(3);
  Segment& segment = *segment_;
  const auto refused = [&](const char* name, const QueueOptions& options, ErrorCode code, const char* words) {
    const auto declared = segment.queue(name, options);
    ASSERT_FALSE(declared);
    EXPECT_EQ(declared.error().code(), code) << declared.error();
    EXPECT_NE(declared.error().message().find(words), std::string::npos) << declared.error();
  };
  refused("q", {.delivery_limit = 3}, ErrorCode::invalid_argument, "there is no dead-letter queue");
  refused("q", {.delivery_limit = 256, .dead_letter = "dead"}, ErrorCode::invalid_argument, "1 to 255");
  refused("q", {.dead_letter = "nowhere"}, ErrorCode::not_found, "declare \"nowhere\" first");
  refused("q", {.dead_letter = "q"}, ErrorCode::invalid_argument, "cannot be its own");
  refused("q", {.dead_letter = "no/name"}, ErrorCode::invalid_argument, "dead-letter queue");
  refused("q", {.capacity = 8, .slot_bytes = 8192, .dead_letter = "dead"}, ErrorCode::invalid_argument, "larger");
  EXPECT_TRUE(segment.queue("small", {.capacity = 8, .slot_bytes = 4096, .dead_letter = "dead"})) << "a block carries it";
  ASSERT_TRUE(segment.queue<std::uint32_t>("words", {}));
  const auto typed = segment.queue<std::uint64_t>("typed", {.dead_letter = "words"});
  ASSERT_FALSE(typed);
  EXPECT_EQ(typed.error().code(), ErrorCode::different);
  refused("jobs", {.capacity = 8, .delivery_limit = 4, .dead_letter = "dead"}, ErrorCode::different,
          "delivery limit is 3, not 4");
  refused("jobs", {.capacity = 8}, ErrorCode::different, "dead-letter queue is \"dead\", not none");
  const auto again = segment.queue("jobs", {.capacity = 8, .delivery_limit = 3, .dead_letter = "dead"});
  EXPECT_TRUE(again);
  const QueueSnapshot jobs = seen("jobs");
  EXPECT_EQ(jobs.delivery_limit, 3u);
  EXPECT_EQ(jobs.dead_letter, "dead");
}

}  // namespace
}  // namespace shmq::test
