// Waiting for several queues at once: outcomes, fairness, ends, and everything a consumer may do meanwhile.
#include <map>
#include <optional>
#include <thread>
#include <vector>

#include "support.hpp"

namespace shmq::test {
namespace {

class SelectorTest : public SegmentTest {
 protected:
  /// Queues "q0", "q1", … with a producer and a consumer each; the selector has all the consumers.
  void fill(std::size_t count, const QueueOptions& options = {.capacity = 64}) {
    for (std::size_t i = 0; i < count; ++i) {
      queues.push_back(queue(segment, "q" + std::to_string(i), options));
      producers.push_back(queues.back().producer());
      consumers.push_back(queues.back().consumer());
    }
    for (auto& consumer : consumers) numbers.push_back(selector.add(consumer));
  }
  void send(std::size_t to, const std::string& text) {
    ASSERT_EQ(producers[to].try_send(bytes_of(text)), Outcome::ok);
  }
  void expect_from(std::size_t number, const std::string& text, const Limit& limit = kPatience) {
    Selected got = selector.receive(limit);
    ASSERT_TRUE(got) << got.outcome();
    EXPECT_EQ(got.source, number);
    EXPECT_EQ(text_of(got.message), text);
    got.message.release();
  }

  Segment segment = make({.size_bytes = 8u << 20, .objects_max = 300});
  std::vector<Queue<void>> queues;
  std::vector<Producer<void>> producers;
  std::vector<Consumer<void>> consumers;
  Selector selector;
  std::vector<std::size_t> numbers;
};

TEST_F(SelectorTest, ReceivesFromWhicheverHasAMessageAndSaysWhich) {
  fill(3);
  EXPECT_EQ(selector.size(), 3u);
  EXPECT_EQ(selector.try_receive().outcome(), Outcome::empty);
  EXPECT_EQ(selector.receive(1ms).outcome(), Outcome::timeout);
  EXPECT_EQ(selector.receive(1ms).source, Selected::kNobody);
  for (const std::size_t i : {2u, 0u, 1u}) {
    send(i, "m" + std::to_string(i));
    expect_from(numbers[i], "m" + std::to_string(i));
  }
  send(1, "again");
  Selected got = selector.try_receive();
  EXPECT_EQ(got.source, numbers[1]);
  got.message.release();
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(selector.receive(stop.get_token()).outcome(), Outcome::stopped);
}

TEST_F(SelectorTest, HandsOutWhatItsConsumerWould) {
  auto numbers_queue = segment.queue<std::uint64_t>("numbers", {.capacity = 4}).value();
  auto text_queue = queue(segment, "text", {.capacity = 4});
  auto typed = numbers_queue.consumer();
  auto text = text_queue.consumer();
  const std::size_t of_numbers = selector.add(typed), of_text = selector.add(text);
  const std::string large(3000, 'L');
  ASSERT_EQ(numbers_queue.producer().send(7), Outcome::ok);
  ASSERT_EQ(text_queue.producer().send(bytes_of(large), {}, 42), Outcome::ok);
  Selected first = selector.receive(kPatience);
  ASSERT_EQ(first.source, of_numbers);
  auto number = first.as<std::uint64_t>();
  EXPECT_FALSE(first);
  ASSERT_TRUE(number);
  EXPECT_EQ(*number, 7u);
  number.release();
  {
    Selected second = selector.receive(kPatience);
    ASSERT_EQ(second.source, of_text);
    EXPECT_EQ(text_of(second.message), large);
    EXPECT_EQ(second.message.type(), 42u);
  }  // dropped
  Selected again = selector.receive(kPatience);
  ASSERT_TRUE(again);
  EXPECT_TRUE(again.message.redelivered());
  again.message.release();
  ASSERT_EQ(numbers_queue.bytes().producer().send(bytes_of("three")), Outcome::ok);
  Selected wrong = selector.receive(kPatience);
  auto not_a_number = wrong.as<std::uint64_t>();
  EXPECT_EQ(not_a_number.outcome(), Outcome::corrupt) << "as a typed consumer says it";
  not_a_number.release();
  EXPECT_EQ(selector.receive(1ms).as<std::uint64_t>().outcome(), Outcome::timeout);
}

// However busy the others are, each of them delivers at most once before a message that waits is received.
TEST_F(SelectorTest, LetsNoBusyQueueStarveAnother) {
  constexpr std::size_t kQueues = 5;
  fill(kQueues);
  const auto keep_busy = [&](std::size_t all_but) {
    for (std::size_t i = 0; i < kQueues; ++i)
      while (i != all_but && queues[i].depth() < 3) send(i, "busy");
  };
  for (std::size_t rare = 0; rare < kQueues; ++rare) {
    for (std::size_t offset = 0; offset < 2 * kQueues; ++offset) {
      keep_busy(rare);
      for (std::size_t i = 0; i < offset; ++i) {
        selector.receive(kPatience).message.release();
        keep_busy(rare);
      }
      send(rare, "rare");
      std::map<std::size_t, int> others;
      for (;;) {
        Selected got = selector.receive(kPatience);
        ASSERT_TRUE(got);
        const std::size_t source = got.source;
        got.message.release();
        keep_busy(rare);
        if (source == numbers[rare]) break;
        ASSERT_EQ(++others[source], 1) << "queue " << source << " came twice before queue " << rare;
      }
    }
  }
}

TEST_F(SelectorTest, LetsClosedAndRemovedQueuesDropOut) {
  fill(4);
  send(0, "last");
  queues[0].close();
  queues[1].close();
  expect_from(numbers[0], "last");
  send(2, "x");
  expect_from(numbers[2], "x");
  EXPECT_EQ(selector.receive(1ms).outcome(), Outcome::timeout);
  EXPECT_EQ(selector.size(), 2u);
  EXPECT_EQ(selector.state(numbers[0]), Outcome::closed);
  EXPECT_EQ(selector.state(numbers[2]), Outcome::ok);
  ASSERT_TRUE(segment.remove_queue("q2"));
  send(3, "y");
  expect_from(numbers[3], "y");
  EXPECT_EQ(selector.try_receive().outcome(), Outcome::empty);
  EXPECT_EQ(selector.state(numbers[2]), Outcome::removed);
  queues[3].close();
  EXPECT_EQ(selector.receive().outcome(), Outcome::removed) << "not all of them were closed";
  EXPECT_EQ(selector.try_receive().outcome(), Outcome::removed);
  selector.remove(numbers[2]);
  EXPECT_EQ(selector.receive().outcome(), Outcome::closed);
  EXPECT_EQ(selector.size(), 0u);
  Selector nothing;
  EXPECT_EQ(nothing.receive().outcome(), Outcome::closed) << "nothing can come";
}

TEST_F(SelectorTest, WaitsForTheMessagesOfAClosedQueueThatOthersHold) {
  fill(2);
  send(0, "held");
  auto other = queues[0].consumer();
  Message held = other.receive();
  queues[0].close();
  queues[1].close();
  EXPECT_EQ(selector.receive(1ms).outcome(), Outcome::timeout) << "it may come again";
  std::jthread giver([&, message = std::move(held)]() mutable {
    std::this_thread::sleep_for(30ms);
    message.requeue();
  });
  expect_from(numbers[0], "held");
  EXPECT_EQ(selector.receive(kPatience).outcome(), Outcome::closed);
}

TEST_F(SelectorTest, GoesOnWhenConsumersAreAddedMovedRemovedAndDestroyed) {
  fill(3);
  EXPECT_EQ(selector.add(consumers[1]), numbers[1]) << "it is in already";
  Consumer<void> moved = std::move(consumers[0]);
  EXPECT_EQ(selector.add(consumers[0]), Selected::kNobody) << "it was moved from";
  send(0, "to the moved");
  expect_from(numbers[0], "to the moved");
  send(1, "directly");
  expect_next(consumers[1], "directly");
  {
    auto second = queues[2].consumer();
    const std::size_t number = selector.add(second);
    EXPECT_EQ(number, 3u);
    EXPECT_EQ(selector.size(), 4u);
  }
  EXPECT_EQ(selector.receive(1ms).outcome(), Outcome::timeout);
  EXPECT_EQ(selector.size(), 3u) << "a consumer that is destroyed is taken out";
  EXPECT_EQ(selector.state(3), Outcome::empty);
  send(0, "kept");
  Selected kept = selector.receive(kPatience);
  selector.remove(numbers[0]);
  selector.remove(numbers[0]);
  selector.remove(1234);
  EXPECT_EQ(text_of(kept.message), "kept");
  kept.message.release();
  send(0, "not heard");
  EXPECT_EQ(selector.receive(1ms).outcome(), Outcome::timeout);
  EXPECT_EQ(selector.add(moved), 4u) << "a number is never given twice";
  expect_from(4, "not heard");
  // The selector goes first, then a message of its, then the consumer.
  send(2, "survivor");
  Selected survivor = selector.receive(kPatience);
  selector = Selector();
  consumers.clear();
  EXPECT_EQ(text_of(survivor.message), "survivor");
  survivor.message.release();
}

TEST_F(SelectorTest, WaitsAcrossSegments) {
  fill(1);
  const std::string other_name = name_ + "-other";
  {
    auto other = Segment::create(other_name, {.size_bytes = 1u << 20}).value();
    auto q = queue(other, "q", {.capacity = 4});
    auto consumer = q.consumer();
    const std::size_t number = selector.add(consumer);
    std::jthread sender([&] {
      std::this_thread::sleep_for(20ms);
      ASSERT_EQ(q.producer().send(bytes_of("from there")), Outcome::ok);
    });
    expect_from(number, "from there");
    send(0, "from here");
    expect_from(numbers[0], "from here");
    ASSERT_TRUE(Segment::remove(other_name));
    EXPECT_EQ(selector.receive(1ms).outcome(), Outcome::timeout);
    EXPECT_EQ(selector.state(number), Outcome::removed);
  }
  EXPECT_EQ(selector.size(), 1u);
}

TEST_F(SelectorTest, IsWokenByEachOfItsQueuesByACloseAndByAStop) {
  fill(6);
  for (std::size_t i = 0; i < queues.size(); ++i) {
    std::jthread sender([&, i] {
      std::this_thread::sleep_for(3ms);  // most sleep by then
      ASSERT_EQ(queues[i].producer().send(bytes_of("wake")), Outcome::ok);
    });
    expect_from(numbers[i], "wake");
  }
  std::stop_source stop;
  {
    std::jthread stopper([&] {
      std::this_thread::sleep_for(5ms);
      stop.request_stop();
    });
    EXPECT_EQ(selector.receive(stop.get_token()).outcome(), Outcome::stopped);
  }
  std::jthread closer([&] {
    for (auto& q : queues) {
      std::this_thread::sleep_for(1ms);
      q.close();
    }
  });
  EXPECT_EQ(selector.receive(kPatience).outcome(), Outcome::closed);
}

// One futex_waitv takes 128 words.
TEST_F(SelectorTest, ServesMoreQueuesThanOneSystemCallWaitsFor) {
  fill(200, {.capacity = 2});
  for (const std::size_t i : {0u, 127u, 128u, 199u}) {
    std::jthread sender([&, i] {
      std::this_thread::sleep_for(3ms);
      ASSERT_EQ(queues[i].producer().send(bytes_of("wake")), Outcome::ok);
    });
    expect_from(numbers[i], "wake");
  }
  for (std::size_t i = 0; i < queues.size(); ++i) send(i, "all");
  for (std::size_t i = 0; i < queues.size(); ++i) {
    Selected got = selector.receive(kPatience);
    ASSERT_TRUE(got);
    got.message.release();
  }
  EXPECT_EQ(selector.receive(30ms).outcome(), Outcome::timeout);
}

TEST_F(SelectorTest, WaitsForQueuesOfBothKinds) {
  fill(1);
  auto records = queue(segment, "records", {.kind = QueueKind::spsc});
  auto sender = records.producer();
  auto consumer = records.consumer();
  const std::size_t number = selector.add(consumer);
  for (int i = 0; i < 20; ++i) {
    const bool first = i % 2 == 0;
    std::jthread thread([&] {
      std::this_thread::sleep_for(1ms);
      ASSERT_EQ((first ? producers[0] : sender).send(bytes_of(std::to_string(i))), Outcome::ok);
    });
    expect_from(first ? numbers[0] : number, std::to_string(i));
  }
  auto another = records.consumer();
  const std::size_t refused = selector.add(another);
  Selected busy = selector.receive(kPatience);
  EXPECT_EQ(busy.outcome(), Outcome::busy);
  EXPECT_EQ(busy.source, refused);
  records.close();
  queues[0].close();
  EXPECT_EQ(selector.receive(kPatience).outcome(), Outcome::busy) << "not all of them were closed";
  selector.remove(refused);
  EXPECT_EQ(selector.receive(kPatience).outcome(), Outcome::closed);
}

TEST_F(SelectorTest, WaitsInEveryWay) {
  for (const Wait wait : {Wait::spin, Wait::spin_yield, Wait::spin_futex}) {
    auto first = queue(segment, "first", {.capacity = 4}), second = queue(segment, "second", {.capacity = 4});
    auto one = first.consumer(), two = second.consumer();
    Selector waiting({.wait = wait});
    waiting.add(one);
    const std::size_t number = waiting.add(two);
    std::jthread sender([&] {
      std::this_thread::sleep_for(2ms);
      ASSERT_EQ(second.producer().send(bytes_of("x")), Outcome::ok);
    });
    Selected got = waiting.receive(kPatience);
    ASSERT_TRUE(got);
    EXPECT_EQ(got.source, number);
    got.message.release();
    EXPECT_EQ(waiting.receive(1ms).outcome(), Outcome::timeout);
  }
}

}  // namespace
}  // namespace shmq::test
