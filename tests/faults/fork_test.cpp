// fork() without exec: the child has descriptors, mappings and handles of its parent, and is nobody in the
// segment.
#include <signal.h>
#include <unistd.h>

#include <fstream>

#include "support.hpp"

namespace faults {
namespace {

using shmq::ErrorCode;
using shmq::Outcome;

TEST(ForkedChild, HearsDetachedFromEveryHandle) {
  const Name name("fork");
  auto segment = shmq::Segment::create(name, {.size_bytes = 8u << 20}).value();
  auto queue = queue_of(segment, "q", {.capacity = 8});
  auto producer = queue.producer();
  auto consumer = queue.consumer();
  ASSERT_EQ(producer.send(bytes_of("one")), Outcome::ok);
  ASSERT_EQ(producer.send(bytes_of("two")), Outcome::ok);
  shmq::Message held = consumer.receive();
  shmq::Claim<void> claimed = producer.claim(3);

  const std::string said = in_child([&]() -> std::string {
    if (producer.claim(1).outcome() != Outcome::detached) return "claim";
    if (producer.try_claim(1).outcome() != Outcome::detached) return "try_claim";
    if (producer.claim(10'000).outcome() != Outcome::detached) return "claim of a block";
    if (producer.claim_batch(4, 1).outcome() != Outcome::detached) return "claim_batch";
    if (producer.send(bytes_of("x")) != Outcome::detached) return "send";
    if (consumer.receive().outcome() != Outcome::detached) return "receive";
    if (consumer.try_receive().outcome() != Outcome::detached) return "try_receive";
    if (consumer.receive_batch(4).outcome() != Outcome::detached) return "receive_batch";
    if (queue.producer().send(bytes_of("x")) != Outcome::detached) return "a new producer";
    if (queue.consumer().receive().outcome() != Outcome::detached) return "a new consumer";
    if (queue.purge()) return "purge";
    queue.close();
    if (held.forward(producer) != Outcome::detached) return "forward";
    if (segment.queue("r").error().code() != ErrorCode::detached) return "declare";
    if (segment.open_queue("q").error().code() != ErrorCode::detached) return "open";
    if (segment.remove_queue("q").error().code() != ErrorCode::detached) return "remove_queue";
    if (segment.reap().total() != 0) return "reap";
    // The parent's loans are not the child's to give back or to finish.
    held.release();
    claimed.publish();
    // Attached anew it is a participant like any other.
    auto mine = opened(name);
    auto my_queue = mine.open_queue("q").value();
    shmq::Message two = my_queue.consumer().receive(kPatience);
    if (text_of(two) != "two" || two.redelivered()) return "attached anew it got " + text_of(two);
    two.release();
    return {};
  });
  EXPECT_EQ(said, "");
  EXPECT_FALSE(queue.closed());
  EXPECT_EQ(text_of(held), "one");
  EXPECT_FALSE(held.redelivered());
  held.release();
  std::memcpy(claimed.data().data(), "new", 3);
  claimed.publish();
  shmq::Message last = consumer.receive(kPatience);
  EXPECT_EQ(text_of(last), "new");
  EXPECT_FALSE(last.redelivered());
  last.release();
}

TEST(ForkedChild, ThatOutlivesItsParentDoesNotKeepItAlive) {
  const Name name("orphan");
  auto segment = shmq::Segment::create(name, {.size_bytes = 8u << 20}).value();
  auto queue = queue_of(segment, "q", {.capacity = 8});
  ASSERT_EQ(queue.producer().send(bytes_of("held")), Outcome::ok);
  struct State {
    std::atomic<bool> ready{false}, done{false};
    std::atomic<pid_t> grandchild{0};
  };
  Shared<State> state;
  Child parent([&]() -> std::string {
    auto mine = opened(name);
    auto consumer = mine.open_queue("q").value().consumer();
    shmq::Message message = consumer.receive();
    if (const pid_t grandchild = ::fork(); grandchild == 0) {
      // Has the mapping, and every descriptor that was not closed in it.
      state->grandchild = ::getpid();
      state->ready = true;
      while (!state->done.load()) ::usleep(1000);
      ::_exit(0);
    }
    ::pause();
    return {};
  });
  ASSERT_TRUE(eventually([&] { return state->ready.load(); }));
  parent.kill();
  auto consumer = queue.consumer();
  shmq::Message again = consumer.receive(kPatience);
  EXPECT_EQ(text_of(again), "held");
  EXPECT_TRUE(again.redelivered());
  again.release();
  EXPECT_EQ(::kill(state->grandchild, 0), 0) << "the grandchild was there all the time";
  state->done = true;
  // Whoever is init here may leave it a zombie, which is as gone as it needs to be.
  EXPECT_TRUE(eventually([&] {
    std::ifstream stat("/proc/" + std::to_string(state->grandchild) + "/stat");
    std::string line;
    return !std::getline(stat, line) || line.find(") Z") != std::string::npos;
  }));
}

}  // namespace
}  // namespace faults
