// Tables that are full, payloads of every size, and waits that end for each reason.
#include <unistd.h>

#include <thread>

#include "support.hpp"

namespace faults {
namespace {

using shmq::ErrorCode;
using shmq::Outcome;

TEST(FullParticipantTable, OfTheLivingIsAnErrorThatSaysWhatToRaise) {
  const Name name("full");
  auto segment = shmq::Segment::create(name, {.size_bytes = 1u << 20, .participants_max = 3}).value();
  auto second = shmq::Segment::open(name).value();
  {
    auto third = shmq::Segment::open(name).value();
    const auto fourth = shmq::Segment::open(name);
    ASSERT_FALSE(fourth);
    EXPECT_EQ(fourth.error().code(), ErrorCode::no_space) << fourth.error();
    EXPECT_NE(fourth.error().message().find("participants_max"), std::string::npos) << fourth.error();
  }
  EXPECT_TRUE(shmq::Segment::open(name));
}

TEST(FullParticipantTable, OfTheDeadHasRoom) {
  const Name name("dead");
  ASSERT_TRUE(shmq::Segment::create(name, {.size_bytes = 1u << 20, .participants_max = 3}));
  for (int round = 0; round < 5; ++round) {
    EXPECT_EQ(in_child([&]() -> std::string {
                auto one = opened(name), two = opened(name), three = opened(name);
                ::_exit(0);
              }),
              "");
    EXPECT_TRUE(shmq::Segment::open(name)) << "in round " << round;
  }
}

TEST(FullDirectory, SaysWhatToRaise) {
  const Name name("objects");
  auto segment = shmq::Segment::create(name, {.size_bytes = 4u << 20, .objects_max = 4}).value();
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(segment.queue("q" + std::to_string(i), {.capacity = 2}));
  const auto fifth = segment.queue("q4", {.capacity = 2});
  ASSERT_FALSE(fifth);
  EXPECT_EQ(fifth.error().code(), ErrorCode::no_space);
  EXPECT_NE(fifth.error().message().find("objects_max"), std::string::npos) << fifth.error();
  ASSERT_TRUE(segment.remove_queue("q2"));
  EXPECT_TRUE(segment.queue("q4", {.capacity = 2}));
  EXPECT_EQ(segment.queues(), (std::vector<std::string>{"q0", "q1", "q4", "q3"}));
}

TEST(FullSegment, SaysWhatAQueueNeedsAndWhatIsThere) {
  const Name name("space");
  auto segment = shmq::Segment::create(name, {.size_bytes = 1u << 20, .blocks = {{}}}).value();
  const auto large = segment.queue("q", {.capacity = 1 << 20});
  ASSERT_FALSE(large);
  EXPECT_EQ(large.error().code(), ErrorCode::no_space);
  EXPECT_NE(large.error().message().find("MiB"), std::string::npos) << large.error();
  EXPECT_TRUE(segment.queue("q", {.capacity = 64}));
}

TEST(Payloads, OfEverySizeArriveIntactAcrossProcesses) {
  const Name name("sizes");
  auto segment =
      shmq::Segment::create(name, {.size_bytes = 160u << 20,
                                   .blocks = {{{128, 16}, {4096, 16}, {1u << 20, 4}, {48u << 20, 2}}}})
          .value();
  auto queue = queue_of(segment, "q", {.capacity = 16});
  std::vector<std::size_t> sizes = {0,
                                    1,
                                    2,
                                    4,
                                    15,
                                    16,
                                    47,
                                    48,
                                    49,
                                    127,
                                    128,
                                    129,
                                    4095,
                                    4096,
                                    4097,
                                    65'536,
                                    (1u << 20) - 1,
                                    1u << 20,
                                    (1u << 20) + 1,
                                    5'000'000,
                                    48u << 20};
  Child receiver([&]() -> std::string {
    auto mine = opened(name);
    auto consumer = mine.open_queue("q").value().consumer();
    for (const std::size_t size : sizes) {
      shmq::Message message = consumer.receive(kPatience);
      if (message.size() != size)
        return "got " + std::to_string(message.size()) + " instead of " + std::to_string(size);
      if (message.type() != size % 1000) return "its type is not what was sent";
      for (std::size_t i = 0; i < size; ++i)
        if (message.data()[i] != static_cast<std::byte>(i * 7 + size))
          return "byte " + std::to_string(i) + " of " + std::to_string(size);
      message.release();
    }
    return {};
  });
  auto producer = queue.producer();
  EXPECT_EQ(producer.max_payload(), 48u << 20);
  for (const std::size_t size : sizes) {
    auto claim = producer.claim(size, kPatience);
    ASSERT_TRUE(claim) << claim.outcome() << " for " << size;
    ASSERT_EQ(claim.data().size(), size);
    for (std::size_t i = 0; i < size; ++i) claim.data()[i] = static_cast<std::byte>(i * 7 + size);
    claim.set_type(static_cast<std::uint32_t>(size % 1000));
    claim.publish();
  }
  EXPECT_EQ(receiver.result(), "");
  EXPECT_EQ(producer.claim((48u << 20) + 1).outcome(), Outcome::too_large);
  EXPECT_EQ(producer.try_claim(SIZE_MAX).outcome(), Outcome::too_large);
}

TEST(Waits, EndByTimeoutByStopTokenAndByBoth) {
  const Name name("waits");
  auto segment = shmq::Segment::create(name, {.size_bytes = 1u << 20, .blocks = {{{4096, 1}}}}).value();
  auto queue = queue_of(segment, "q", {.capacity = 2});
  for (const shmq::Wait how : {shmq::Wait::spin_futex, shmq::Wait::spin_yield, shmq::Wait::spin}) {
    auto consumer = queue.consumer({how});
    auto producer = queue.producer({how});
    EXPECT_EQ(consumer.receive(0ms).outcome(), Outcome::timeout);
    EXPECT_EQ(consumer.receive(-5s).outcome(), Outcome::timeout);
    EXPECT_EQ(consumer.receive(30ms).outcome(), Outcome::timeout);
    EXPECT_EQ(consumer.receive_batch(8, 5ms).outcome(), Outcome::timeout);
    std::stop_source stop;
    std::jthread stopper([&] {
      std::this_thread::sleep_for(30ms);
      stop.request_stop();
    });
    EXPECT_EQ(consumer.receive(stop.get_token()).outcome(), Outcome::stopped);
    EXPECT_EQ(consumer.receive({stop.get_token(), 1h}).outcome(), Outcome::stopped)
        << "stopped before it began";
    EXPECT_EQ(consumer.receive({std::stop_source().get_token(), 5ms}).outcome(), Outcome::timeout);
    stopper.join();
    while (producer.try_send(bytes_of("x")) == Outcome::ok) {
    }
    EXPECT_EQ(producer.send(bytes_of("x"), 30ms), Outcome::timeout);
    EXPECT_EQ(producer.claim(1, stop.get_token()).outcome(), Outcome::stopped);
    EXPECT_EQ(producer.claim_batch(3, 1, 5ms).outcome(), Outcome::timeout);
    EXPECT_EQ(queue.purge().value(), 2u);
    // For a block.
    auto block = producer.claim(4000);
    ASSERT_TRUE(block);
    EXPECT_EQ(producer.claim(4000, 30ms).outcome(), Outcome::timeout);
    EXPECT_EQ(producer.claim(4000, stop.get_token()).outcome(), Outcome::stopped);
    EXPECT_EQ(producer.try_claim(4000).outcome(), Outcome::no_block);
    block.abort();
    EXPECT_EQ(consumer.try_receive().outcome(), Outcome::empty) << "an aborted claim is stepped over";
    // A time that no clock can hold is for ever.
    EXPECT_EQ(producer.send(bytes_of("y"), std::chrono::hours::max()), Outcome::ok);
    shmq::Message message = consumer.receive(std::chrono::hours::max());
    EXPECT_EQ(text_of(message), "y");
    message.release();
  }
}

}  // namespace
}  // namespace faults
