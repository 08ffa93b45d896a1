// Forwarding: inline and in a block, between queues of different shapes and between segments; ids and marks
// stay.
#include "support.hpp"

namespace shmq::test {
namespace {

using ForwardTest = SegmentTest;

struct Hop {
  QueueOptions from, to;
};

class Forward : public SegmentTest, public ::testing::WithParamInterface<Hop> {};

TEST_P(Forward, KeepsPayloadTypeIdMarkAndCorrelation) {
  auto segment = make({.size_bytes = 4u << 20, .blocks = {{{1024, 4}, {65536, 2}}}});
  auto a = queue(segment, "a", GetParam().from), b = queue(segment, "b", GetParam().to);
  auto to_a = a.producer(), to_b = b.producer();
  auto from_a = a.consumer(), from_b = b.consumer();
  const bool metadata = GetParam().from.metadata && GetParam().to.metadata;
  for (const std::size_t size : {0u, 1u, 16u, 30u, 32u, 33u, 48u, 49u, 80u, 200u, 1000u, 1025u, 60'000u})
    for (const bool repeat : {false, true})
      for (int lap = 0; lap < 3; ++lap) {
        std::string text(size, 'p');
        for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i % 26);
        auto claim = to_a.claim(size);
        ASSERT_TRUE(claim) << claim.outcome() << " for " << size << " in lap " << lap;
        if (size != 0) std::memcpy(claim.data().data(), text.data(), size);
        claim.set_type(5);
        claim.set_correlation(99);
        claim.publish();
        if (repeat) from_a.receive().requeue();
        Message message = from_a.receive();
        const MessageId id = message.id();
        EXPECT_EQ(id.generation, a.generation());
        const auto* before = message.data().data();
        ASSERT_EQ(message.forward(to_b), Outcome::ok) << size;
        EXPECT_FALSE(message) << "it is not held any more";
        Message arrived = from_b.receive();
        EXPECT_EQ(text_of(arrived), text);
        EXPECT_EQ(arrived.type(), 5u);
        EXPECT_EQ(arrived.id(), id);
        EXPECT_EQ(arrived.redelivered(), repeat);
        EXPECT_EQ(arrived.deliveries(), 0u);
        if (metadata) {
          EXPECT_EQ(arrived.correlation(), 99u);
        }
        if (size > to_a.max_inline()) {
          EXPECT_EQ(arrived.data().data(), before) << "a block is handed over, not copied";
        }
        // Back to where it came from, it is still the same message.
        ASSERT_EQ(arrived.forward(to_a), Outcome::ok);
        Message home = from_a.receive();
        EXPECT_EQ(text_of(home), text);
        EXPECT_EQ(home.id(), id);
        home.release();
      }
  EXPECT_EQ(a.depth() + b.depth(), 0u);
}

INSTANTIATE_TEST_SUITE_P(All, Forward,
                         ::testing::Values(Hop{{.capacity = 2}, {.capacity = 2}},
                                           Hop{{.capacity = 4, .slot_bytes = 256}, {.capacity = 2}},
                                           Hop{{.capacity = 2}, {.capacity = 4, .slot_bytes = 256}},
                                           Hop{{.capacity = 2, .slot_bytes = 128, .metadata = true},
                                               {.capacity = 4, .slot_bytes = 256, .metadata = true}},
                                           Hop{{.capacity = 2, .slot_bytes = 128, .metadata = true},
                                               {.capacity = 2}}));

TEST_F(ForwardTest, ThatFailsLeavesTheMessageHeld) {
  auto segment = make({.size_bytes = 1u << 20, .blocks = {{{4096, 2}}}});
  auto a = queue(segment, "a", {.capacity = 4}), full = queue(segment, "full", {.capacity = 2});
  auto rejecting = queue(segment, "rejecting", {.capacity = 2, .on_full = OnFull::reject});
  auto to_full = full.producer();
  auto to_rejecting = rejecting.producer();
  for (int i = 0; i < 2; ++i) ASSERT_EQ(to_full.send(bytes_of("x")), Outcome::ok);
  for (int i = 0; i < 2; ++i) ASSERT_EQ(to_rejecting.send(bytes_of("x")), Outcome::ok);
  auto consumer = a.consumer();
  for (const std::size_t size : {std::size_t{10}, std::size_t{3000}}) {
    ASSERT_EQ(a.producer().send(bytes_of(std::string(size, 'm'))), Outcome::ok);
    Message message = consumer.receive();
    EXPECT_EQ(message.forward(to_full, 1ms), Outcome::timeout);
    EXPECT_EQ(message.forward(to_rejecting), Outcome::full);
    ASSERT_TRUE(message);
    EXPECT_EQ(text_of(message), std::string(size, 'm'));
    EXPECT_FALSE(message.redelivered());
    ASSERT_TRUE(full.purge());
    EXPECT_EQ(message.forward(to_full), Outcome::ok);
    EXPECT_EQ(message.forward(to_full), Outcome::empty) << "there is nothing to forward any more";
    auto there = full.consumer();
    expect_next(there, std::string(size, 'm'));
    for (int i = 0; i < 2; ++i) ASSERT_EQ(to_full.send(bytes_of("x")), Outcome::ok);
  }
  ASSERT_EQ(a.producer().send(bytes_of("last")), Outcome::ok);
  Message message = consumer.receive();
  full.close();
  EXPECT_EQ(message.forward(to_full), Outcome::closed);
  ASSERT_TRUE(segment.remove_queue("full"));
  EXPECT_EQ(message.forward(to_full), Outcome::removed);
  EXPECT_EQ(text_of(message), "last");
  message.release();
}

TEST_F(ForwardTest, GoesToAnotherSegmentAsACopy) {
  auto segment = make({.size_bytes = 1u << 20, .blocks = {{{4096, 2}}}});
  const std::string other_name = name_ + "-other";
  auto other = Segment::create(other_name, {.size_bytes = 1u << 20, .blocks = {{{4096, 2}}}}).value();
  auto a = queue(segment, "a", {.capacity = 4}), b = queue(other, "b", {.capacity = 4});
  auto from_a = a.consumer(), from_b = b.consumer();
  auto to_b = b.producer();
  for (int lap = 0; lap < 5; ++lap)
    for (const std::size_t size : {std::size_t{10}, std::size_t{4000}}) {
      ASSERT_EQ(a.producer().try_send(bytes_of(std::string(size, 'm'))), Outcome::ok);
      Message message = from_a.receive();
      const MessageId id = message.id();
      ASSERT_EQ(message.forward(to_b), Outcome::ok);
      Message arrived = from_b.receive();
      EXPECT_EQ(text_of(arrived), std::string(size, 'm'));
      EXPECT_EQ(arrived.id(), id);
      arrived.release();
    }
  (void)Segment::remove(other_name);
}

}  // namespace
}  // namespace shmq::test
