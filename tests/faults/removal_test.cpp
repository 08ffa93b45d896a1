// Segments and queues that are removed while others use and wait for them.
#include <thread>

#include "support.hpp"

namespace faults {
namespace {

using shmq::ErrorCode;
using shmq::Outcome;

/// Processes that wait in every way there is: for messages, for room, for a block, for the end of the stream.
struct Waiters {
  explicit Waiters(const std::string& name) {
    const auto add = [&](const std::function<Outcome(shmq::Segment&)>& wait) {
      children.push_back(std::make_unique<Child>([this, name, wait]() -> std::string {
        auto mine = opened(name);
        ready->fetch_add(1);
        const Outcome outcome = wait(mine);
        return outcome == Outcome::removed ? "" : std::string("heard ") + to_string(outcome);
      }));
    };
    for (const shmq::Wait how : {shmq::Wait::spin_futex, shmq::Wait::spin_yield}) {
      add([=](shmq::Segment& s) {
        return s.open_queue("empty").value().consumer({how}).receive().outcome();
      });
      add([=](shmq::Segment& s) { return s.open_queue("full").value().producer({how}).claim(1).outcome(); });
      add([=](shmq::Segment& s) {
        return s.open_queue("empty").value().producer({how}).claim(4000).outcome();
      });
      add([=](shmq::Segment& s) {
        return s.open_queue("closed").value().consumer({how}).receive().outcome();
      });
    }
  }
  Shared<std::atomic<std::size_t>> ready;
  std::vector<std::unique_ptr<Child>> children;
};

struct Scene {
  explicit Scene(const std::string& name)
      : segment(shmq::Segment::create(name, {.size_bytes = 2u << 20, .blocks = {{{4096, 2}}}}).value()),
        empty(queue_of(segment, "empty", {.capacity = 4})),
        full(queue_of(segment, "full", {.capacity = 2})),
        closed(queue_of(segment, "closed", {.capacity = 2})),
        blocks(queue_of(segment, "blocks", {.capacity = 4})) {
    for (int i = 0; i < 2; ++i) (void)full.producer().try_send(bytes_of("x"));
    for (int i = 0; i < 2; ++i) (void)blocks.producer().try_send(bytes_of(std::string(4000, 'b')));
    (void)closed.producer().try_send(bytes_of("held"));
    closed.close();
  }
  shmq::Segment segment;
  shmq::Queue<void> empty, full, closed, blocks;
};

TEST(RemovedSegment, IsHeardByEverybodyWhoWaitsAndItsNameIsFreeAtOnce) {
  const Name name("segment");
  Scene scene(name);
  auto holder = scene.closed.consumer();
  shmq::Message held = holder.receive();
  Waiters waiters(name);
  ASSERT_TRUE(eventually([&] { return *waiters.ready == waiters.children.size(); }));
  std::this_thread::sleep_for(50ms);
  ASSERT_TRUE(shmq::Segment::remove(name));
  auto again = shmq::Segment::create(name, {.size_bytes = 1u << 20});
  ASSERT_TRUE(again) << again.error();
  for (auto& waiter : waiters.children) EXPECT_EQ(waiter->result(), "");
  // Handles that nobody waited with.
  EXPECT_EQ(scene.full.consumer().receive().outcome(), Outcome::removed);
  EXPECT_EQ(scene.empty.consumer().try_receive().outcome(), Outcome::removed);
  EXPECT_EQ(scene.empty.producer().try_claim(1).outcome(), Outcome::removed);
  EXPECT_EQ(scene.segment.queue("new").error().code(), ErrorCode::removed);
  EXPECT_EQ(scene.segment.open_queue("full").error().code(), ErrorCode::removed);
  EXPECT_EQ(scene.segment.remove_queue("full").error().code(), ErrorCode::removed);
  // What is held stays readable, and can be let go.
  EXPECT_EQ(text_of(held), "held");
  held.release();
  EXPECT_EQ(shmq::Segment::remove("faults-no-such-segment").error().code(), ErrorCode::not_found);
}

TEST(RemovedQueue, IsHeardByEverybodyWhoWaitsAndItsNameIsFreeAtOnce) {
  const Name name("queue");
  Scene scene(name);
  auto holder = scene.closed.consumer();
  shmq::Message held = holder.receive();
  Waiters waiters(name);
  ASSERT_TRUE(eventually([&] { return *waiters.ready == waiters.children.size(); }));
  std::this_thread::sleep_for(50ms);
  for (const char* queue : {"empty", "full", "closed"}) {
    ASSERT_TRUE(scene.segment.remove_queue(queue));
    auto again = scene.segment.queue(queue, {.capacity = 16, .slot_bytes = 256});
    ASSERT_TRUE(again) << again.error();
    EXPECT_EQ(again->producer().try_send(bytes_of("new")), Outcome::ok);
  }
  for (auto& waiter : waiters.children) EXPECT_EQ(waiter->result(), "");
  EXPECT_EQ(scene.full.consumer().try_receive().outcome(), Outcome::removed);
  EXPECT_EQ(text_of(held), "held");
  held.requeue();
  EXPECT_EQ(text_of(scene.segment.open_queue("full").value().consumer().receive()), "new");
  EXPECT_EQ(scene.segment.remove_queue("none").error().code(), ErrorCode::not_found);
}

TEST(RemovedQueue, GivesItsSpaceAndBlocksBackWithItsLastUser) {
  const Name name("space");
  auto segment = shmq::Segment::create(name, {.size_bytes = 3u << 20, .blocks = {{{65536, 8}}}}).value();
  const std::string large(60'000, 'b');
  for (int round = 0; round < 20; ++round) {
    auto queue = segment.queue("q", {.capacity = 8192, .slot_bytes = 128});
    ASSERT_TRUE(queue) << queue.error() << " in round " << round;
    auto producer = queue->producer();
    for (int i = 0; i < 8; ++i)
      ASSERT_EQ(producer.try_send(bytes_of(large)), Outcome::ok) << i << " in round " << round;
    EXPECT_EQ(producer.try_send(bytes_of(large)), Outcome::no_block);
    auto consumer = queue->consumer();
    shmq::Message held = consumer.receive();
    ASSERT_TRUE(segment.remove_queue("q"));
    EXPECT_EQ(held.size(), large.size());
  }
}

}  // namespace
}  // namespace faults
