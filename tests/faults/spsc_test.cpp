// The two ends of an spsc queue belong to one process each: what a fork, a stop and a kill of the owner mean for them.
// The times of a succession are printed; none is judged.
#include <unistd.h>

#include <thread>

#include "kills.hpp"
#include "shmq/base/clock.hpp"
#include "support.hpp"

namespace faults {
namespace {

using shmq::ErrorCode;
using shmq::Outcome;

shmq::Queue<void> ring_of(shmq::Segment& segment, const std::string& name, std::uint64_t ring_bytes = 4096) {
  return queue_of(segment, name, {.kind = shmq::QueueKind::spsc, .ring_bytes = ring_bytes});
}

TEST(SpscForkedChild, DoesNotUseItsParentsEnds) {
  const Name name("spsc-fork");
  auto segment = shmq::Segment::create(name, {.size_bytes = 8u << 20}).value();
  auto queue = ring_of(segment, "q");
  auto producer = queue.producer();
  auto consumer = queue.consumer();
  ASSERT_EQ(producer.send(bytes_of("one")), Outcome::ok);
  ASSERT_EQ(producer.send(bytes_of("two")), Outcome::ok);
  shmq::Message held = consumer.receive();
  shmq::Claim<void> claimed = producer.claim(3);

  const std::string said = in_child([&]() -> std::string {
    if (producer.claim(1).outcome() != Outcome::detached) return "claim";
    if (producer.try_claim(1).outcome() != Outcome::detached) return "try_claim";
    if (producer.claim_batch(4, 1).outcome() != Outcome::detached) return "claim_batch";
    if (producer.send(bytes_of("x")) != Outcome::detached) return "send";
    if (consumer.receive().outcome() != Outcome::detached) return "receive";
    if (consumer.try_receive().outcome() != Outcome::detached) return "try_receive";
    if (consumer.receive_batch(4).outcome() != Outcome::detached) return "receive_batch";
    if (queue.producer().send(bytes_of("x")) != Outcome::detached) return "a new producer";
    if (queue.consumer().receive().outcome() != Outcome::detached) return "a new consumer";
    if (queue.purge()) return "purge";
    queue.close();
    held.release();
    claimed.publish();
    // Attached anew it is a participant like any other, and the ends are its parent's, who lives.
    auto mine = opened(name);
    auto my_queue = mine.open_queue("q").value();
    const auto theirs = my_queue.open_producer();
    if (theirs || theirs.error().code() != ErrorCode::busy) return "the producer's end is not busy";
    if (theirs.error().message().find(std::to_string(::getppid())) == std::string::npos)
      return "the parent is not named: " + theirs.error().message();
    if (my_queue.consumer().receive(50ms).outcome() != Outcome::busy) return "the consumer's end is not busy";
    // What it takes apart here must not let go of what its parent has.
    { [[maybe_unused]] const auto gone = std::move(producer); }
    { [[maybe_unused]] const auto gone = std::move(consumer); }
    if (my_queue.open_producer() || my_queue.open_consumer()) return "the child let go of its parent's end";
    return {};
  });
  EXPECT_EQ(said, "");
  EXPECT_FALSE(queue.closed());
  EXPECT_EQ(text_of(held), "one");
  held.release();
  std::memcpy(claimed.data().data(), "new", 3);
  claimed.publish();
  for (const char* expected : {"two", "new"}) {
    shmq::Message message = consumer.receive(kPatience);
    EXPECT_EQ(text_of(message), expected);
    EXPECT_FALSE(message.redelivered());
    message.release();
  }
}

TEST(SpscForkedChild, ThatOutlivesTheOwnerOfAnEndDoesNotKeepTheEnd) {
  const Name name("spsc-orphan");
  auto segment = shmq::Segment::create(name, {.size_bytes = 8u << 20}).value();
  auto queue = ring_of(segment, "q");
  ASSERT_EQ(queue.producer().send(bytes_of("held")), Outcome::ok);
  struct State {
    std::atomic<bool> ready{false}, done{false}, gone{false};
  };
  Shared<State> state;
  Child parent([&]() -> std::string {
    auto mine = opened(name);
    auto theirs = mine.open_queue("q").value();
    auto producer = theirs.producer();
    auto consumer = theirs.consumer();
    shmq::Message message = consumer.receive();
    if (::fork() == 0) {
      state->ready = true;
      while (!state->done.load()) ::usleep(1000);
      state->gone = true;
      ::_exit(0);
    }
    ::pause();
    return {};
  });
  ASSERT_TRUE(eventually([&] { return state->ready.load(); }));
  auto consumer = queue.consumer();
  EXPECT_EQ(consumer.receive(50ms).outcome(), Outcome::busy);
  parent.kill();
  shmq::Message again;
  ASSERT_TRUE(eventually([&] {
    again = consumer.receive(kPatience);
    return static_cast<bool>(again);
  }));
  EXPECT_EQ(text_of(again), "held");
  EXPECT_TRUE(again.redelivered());
  again.release();
  EXPECT_EQ(queue.producer().send(bytes_of("next")), Outcome::ok);
  EXPECT_FALSE(state->gone) << "the grandchild was there all the time";
  state->done = true;
  EXPECT_TRUE(eventually([&] { return state->gone.load(); }));
}

TEST(SpscStoppedConsumer, KeepsItsEndAndWhatItHolds) {
  const Name name("spsc-stop");
  auto segment = shmq::Segment::create(name, {.size_bytes = 8u << 20}).value();
  auto queue = ring_of(segment, "q", 1024);
  auto producer = queue.producer();
  for (const char* text : {"first", "second", "third"}) ASSERT_EQ(producer.send(bytes_of(text)), Outcome::ok);
  Shared<Steps> steps;
  Child holder([&]() -> std::string {
    auto mine = opened(name);
    auto consumer = mine.open_queue("q").value().consumer();
    shmq::Message first = consumer.receive(), second = consumer.receive();
    steps->reached = 1;
    while (!steps->go.load()) std::this_thread::yield();
    if (text_of(first) != "first" || text_of(second) != "second") return "what it held has changed";
    if (first.redelivered() || second.redelivered()) return "what it held was given to others";
    second.release();
    first.release();
    shmq::Message third = consumer.receive(kPatience);
    if (text_of(third) != "third" || third.redelivered()) return "after the stop it got " + text_of(third);
    third.release();
    return {};
  });
  ASSERT_TRUE(eventually([&] { return steps->reached == 1; }));
  holder.stop();
  auto thief = queue.consumer();
  // Long enough for some twenty looks at the dead.
  for (int i = 0; i < 40; ++i) {
    ASSERT_EQ(thief.receive(10ms).outcome(), Outcome::busy);
    std::this_thread::sleep_for(10ms);
  }
  const auto refused = queue.open_consumer();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::busy);
  EXPECT_NE(refused.error().message().find(std::to_string(holder.pid())), std::string::npos)
      << refused.error().message();
  EXPECT_EQ(segment.reap().total(), 0u);
  // The producer goes on up to a full ring, and no further: nothing is written over what the stopped one holds.
  int sent = 0;
  while (producer.try_send(bytes_of(std::string(100, 'x'))) == Outcome::ok) ++sent;
  EXPECT_GT(sent, 0);
  EXPECT_EQ(producer.send(bytes_of(std::string(100, 'y')), 50ms), Outcome::timeout);
  steps->go = true;
  holder.resume();
  EXPECT_EQ(holder.result(), "");
  for (int i = 0; i < sent; ++i) {
    shmq::Message message;
    ASSERT_TRUE(eventually([&] {
      message = thief.receive(kPatience);
      return message.outcome() != Outcome::busy;
    }));
    ASSERT_EQ(text_of(message), std::string(100, 'x')) << i;
    EXPECT_FALSE(message.redelivered());
    message.release();
  }
}

TEST(SpscStoppedProducer, KeepsItsEndAndItsClaim) {
  const Name name("spsc-claim");
  auto segment = shmq::Segment::create(name, {.size_bytes = 8u << 20}).value();
  auto queue = ring_of(segment, "q");
  Shared<Steps> steps;
  Child holder([&]() -> std::string {
    auto mine = opened(name);
    auto producer = mine.open_queue("q").value().producer();
    auto first = producer.claim(5), second = producer.claim(6);
    std::memcpy(first.data().data(), "first", 5);
    std::memcpy(second.data().data(), "second", 6);
    second.publish();
    steps->reached = 1;
    while (!steps->go.load()) std::this_thread::yield();
    first.publish();
    const Outcome third = producer.send(bytes_of("third"));
    return third == Outcome::ok ? "" : std::string("send said ") + to_string(third);
  });
  ASSERT_TRUE(eventually([&] { return steps->reached == 1; }));
  holder.stop();
  auto consumer = queue.consumer();
  auto other = queue.producer();
  for (int i = 0; i < 40; ++i) {
    ASSERT_EQ(other.send(bytes_of("thief"), 10ms), Outcome::busy);
    ASSERT_EQ(consumer.receive(10ms).outcome(), Outcome::timeout) << "stepped over the claim of one who lives";
  }
  EXPECT_EQ(segment.reap().total(), 0u);
  steps->go = true;
  holder.resume();
  EXPECT_EQ(holder.result(), "");
  ASSERT_TRUE(eventually([&] { return other.send(bytes_of("fourth")) == Outcome::ok; }));
  for (const char* expected : {"first", "second", "third", "fourth"}) {
    shmq::Message message = consumer.receive(kPatience);
    EXPECT_EQ(text_of(message), expected);
    EXPECT_FALSE(message.redelivered());
    message.release();
  }
}

TEST(SpscKilledConsumer, IsSucceededByOneWhoHasItsMessageAgain) {
  const Name name("spsc-consumer");
  auto segment = shmq::Segment::create(name, {.size_bytes = 8u << 20}).value();
  auto queue = ring_of(segment, "q");
  auto producer = queue.producer();
  Times times("spsc: a redelivery to the next consumer after the death of the one that held the message");
  for (int i = 0; i < kKills; ++i) {
    ASSERT_EQ(producer.send(bytes_of("one")), Outcome::ok);
    ASSERT_EQ(producer.send(bytes_of("two")), Outcome::ok);
    Victim victim(name, [](shmq::Segment& mine, std::atomic<bool>& ready) {
      auto theirs = mine.open_queue("q").value().consumer();
      auto held = theirs.receive();
      stay(ready);
    });
    auto consumer = queue.consumer();
    ASSERT_EQ(consumer.receive(5ms).outcome(), Outcome::busy);
    victim.child.kill();
    const std::int64_t died = shmq::base::monotonic_ns();
    // The very first call: a dead owner is no reason to be told `busy`, though it was looked for a moment ago.
    shmq::Message first = i % 2 == 0 ? consumer.receive(kPatience) : consumer.try_receive();
    times.add(died);
    ASSERT_EQ(first.outcome(), Outcome::ok);
    ASSERT_EQ(text_of(first), "one");
    EXPECT_TRUE(first.redelivered());
    EXPECT_EQ(first.deliveries(), 1u);
    first.release();
    shmq::Message second = consumer.receive(kPatience);
    ASSERT_EQ(text_of(second), "two");
    EXPECT_FALSE(second.redelivered());
    second.release();
  }
}

TEST(SpscKilledProducer, IsSucceededByOneWhoPublishes) {
  const Name name("spsc-producer");
  auto segment = shmq::Segment::create(name, {.size_bytes = 8u << 20}).value();
  auto queue = ring_of(segment, "q");
  auto consumer = queue.consumer();
  Times times("spsc: a message from the next producer, past the claims of the one that was killed");
  for (int i = 0; i < kKills; ++i) {
    Victim victim(name, [](shmq::Segment& mine, std::atomic<bool>& ready) {
      auto theirs = mine.open_queue("q").value().producer();
      auto one = theirs.claim(8), two = theirs.claim(200);
      auto batch = theirs.claim_batch(3, 8);
      stay(ready);
    });
    auto producer = queue.producer();
    ASSERT_EQ(producer.send(bytes_of("next"), 5ms), Outcome::busy);
    victim.child.kill();
    const std::int64_t died = shmq::base::monotonic_ns();
    ASSERT_EQ(i % 2 == 0 ? producer.send(bytes_of("next"), kPatience) : producer.try_send(bytes_of("next")), Outcome::ok);
    shmq::Message message = consumer.receive(kPatience);
    times.add(died);
    ASSERT_EQ(text_of(message), "next");
    EXPECT_FALSE(message.redelivered());
    message.release();
  }
}

}  // namespace
}  // namespace faults
