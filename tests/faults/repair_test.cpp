// What a SIGKILL leaves is mended by whoever waits behind it, with no daemon. The times are printed; none is
// judged.
#include <unistd.h>

#include "kills.hpp"
#include "shmq/base/clock.hpp"
#include "support.hpp"

namespace faults {
namespace {

using shmq::Outcome;

TEST(KilledProducer, WhoHeldTheClaimLetsTheBlockedConsumerGoOn) {
  const Name name("claim");
  auto segment = shmq::Segment::create(name, {.size_bytes = 8u << 20}).value();
  auto queue = queue_of(segment, "q", {.capacity = 8});
  auto producer = queue.producer();
  auto consumer = queue.consumer();
  Times times("a blocked consumer goes on after the death of the producer that held the claim");
  for (int i = 0; i < kKills; ++i) {
    Victim victim(name, [&](shmq::Segment& mine, std::atomic<bool>& ready) {
      auto theirs = mine.open_queue("q").value().producer();
      auto small = theirs.claim(8);
      auto large = theirs.claim(3000);
      auto batch = theirs.claim_batch(2, 8);
      stay(ready);
    });
    ASSERT_EQ(producer.send(bytes_of("behind")), Outcome::ok);
    ASSERT_EQ(consumer.receive(5ms).outcome(), Outcome::timeout);
    victim.child.kill();
    const std::int64_t died = shmq::base::monotonic_ns();
    shmq::Message message = consumer.receive(kPatience);
    times.add(died);
    ASSERT_EQ(text_of(message), "behind");
    EXPECT_FALSE(message.redelivered());
    message.release();
  }
}

TEST(KilledConsumer, WhoHeldTheMessageLetsTheBlockedProducerGoOn) {
  const Name name("message");
  auto segment = shmq::Segment::create(name, {.size_bytes = 8u << 20}).value();
  auto queue = queue_of(segment, "q", {.capacity = 2});
  auto producer = queue.producer();
  Times times("a redelivery after the death of the consumer that held the message");
  for (int i = 0; i < kKills; ++i) {
    ASSERT_EQ(producer.send(bytes_of("one")), Outcome::ok);
    ASSERT_EQ(producer.send(bytes_of(std::string(3000, '2'))), Outcome::ok);
    Victim victim(name, [&](shmq::Segment& mine, std::atomic<bool>& ready) {
      auto theirs = mine.open_queue("q").value().consumer();
      auto first = theirs.receive(), second = theirs.receive();
      stay(ready);
    });
    auto consumer = queue.consumer();
    ASSERT_EQ(consumer.receive(5ms).outcome(), Outcome::timeout);
    victim.child.kill();
    const std::int64_t died = shmq::base::monotonic_ns();
    shmq::Message first = consumer.receive(kPatience);
    times.add(died);
    ASSERT_EQ(text_of(first), "one");
    EXPECT_TRUE(first.redelivered());
    EXPECT_EQ(first.deliveries(), 1u);
    first.release();
    shmq::Message second = consumer.receive(kPatience);
    ASSERT_EQ(second.size(), 3000u);
    EXPECT_TRUE(second.redelivered());
    second.release();
  }
}

TEST(KilledConsumer, WhoHeldTheLastMessageLetsTheStreamEnd) {
  const Name name("end");
  auto segment = shmq::Segment::create(name, {.size_bytes = 8u << 20}).value();
  Times times("`closed` after the death of the consumer that held the last message");
  for (int i = 0; i < kKills; ++i) {
    auto queue = queue_of(segment, "q", {.capacity = 2});
    ASSERT_EQ(queue.producer().send(bytes_of("last")), Outcome::ok);
    queue.close();
    Victim victim(name, [&](shmq::Segment& mine, std::atomic<bool>& ready) {
      auto theirs = mine.open_queue("q").value().consumer();
      auto last = theirs.receive();
      stay(ready);
    });
    auto consumer = queue.consumer();
    ASSERT_EQ(consumer.receive(5ms).outcome(), Outcome::timeout);
    victim.child.kill();
    const std::int64_t died = shmq::base::monotonic_ns();
    shmq::Message last = consumer.receive(kPatience);
    ASSERT_EQ(text_of(last), "last");
    last.release();
    EXPECT_EQ(consumer.receive(kPatience).outcome(), Outcome::closed);
    times.add(died);
    ASSERT_TRUE(segment.remove_queue("q"));
  }
}

TEST(KilledHolderOfBlocks, LetsWhoWaitsForABlockGoOn) {
  const Name name("blocks");
  auto segment = shmq::Segment::create(name, {.size_bytes = 1u << 20, .blocks = {{{4096, 2}}}}).value();
  auto queue = queue_of(segment, "q", {.capacity = 8});
  auto producer = queue.producer();
  auto consumer = queue.consumer();
  Times times("a block after the death of the producer that held them all");
  for (int i = 0; i < kKills; ++i) {
    Victim victim(name, [&](shmq::Segment& mine, std::atomic<bool>& ready) {
      auto theirs = mine.open_queue("q").value().producer();
      auto one = theirs.claim(4096), two = theirs.claim(4096);
      stay(ready);
    });
    ASSERT_EQ(producer.claim(4096, 5ms).outcome(), Outcome::timeout);
    victim.child.kill();
    const std::int64_t died = shmq::base::monotonic_ns();
    ASSERT_EQ(producer.send(bytes_of(std::string(4096, 'x')), kPatience), Outcome::ok);
    times.add(died);
    shmq::Message message = consumer.receive(kPatience);
    ASSERT_EQ(message.size(), 4096u);
    message.release();
  }
}

TEST(KilledForwarder, LeavesThePayloadInOneOfTheQueues) {
  const Name name("forward");
  auto segment = shmq::Segment::create(name, {.size_bytes = 8u << 20}).value();
  auto from = queue_of(segment, "from", {.capacity = 4});
  auto to = queue_of(segment, "to", {.capacity = 4});
  const std::string large(3000, 'x');
  int there = 0, back = 0;
  for (int i = 0; i < 200; ++i) {
    ASSERT_EQ(from.producer().send(bytes_of(large)), Outcome::ok);
    Victim victim(name, [&](shmq::Segment& mine, std::atomic<bool>& ready) {
      auto theirs = mine.open_queue("from").value().consumer();
      auto next = mine.open_queue("to").value().producer();
      auto message = theirs.receive();
      ready = true;
      for (int spin = 0; spin < 100 * (i % 40); ++spin) shmq::base::cpu_relax();
      (void)message.forward(next);
      ::pause();
    });
    victim.child.kill();
    (void)segment.reap();
    shmq::Message in_from = from.consumer().try_receive(), in_to = to.consumer().try_receive();
    ASSERT_NE(static_cast<bool>(in_from), static_cast<bool>(in_to)) << "round " << i;
    ++(in_to ? there : back);
    shmq::Message& message = in_to ? in_to : in_from;
    EXPECT_EQ(text_of(message), large);
    message.release();
  }
  std::printf("%d forwarded, %d not\n", there, back);
}

}  // namespace
}  // namespace faults
