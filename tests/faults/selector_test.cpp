// A process that waits for several queues at once, among deaths, refused system calls and forks.
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <vector>

#include "objects/queue_object.hpp"
#include "seccomp.hpp"
#include "support.hpp"

namespace faults {
namespace {

using shmq::Outcome;
using shmq::Selected;
using shmq::Selector;

/// Two queues, each in a segment of its own, and a selector over both.
struct Pair {
  Pair() {
    for (auto* consumer : {&first_consumer, &second_consumer}) selector.add(*consumer);
  }
  Name first_name{"selector-a"}, second_name{"selector-b"};
  shmq::Segment first = shmq::Segment::create(first_name, {.size_bytes = 1u << 20}).value();
  shmq::Segment second = shmq::Segment::create(second_name, {.size_bytes = 1u << 20}).value();
  shmq::Queue<void> first_queue = queue_of(first, "q", {.capacity = 4});
  shmq::Queue<void> second_queue = queue_of(second, "q", {.capacity = 4});
  shmq::Consumer<void> first_consumer = first_queue.consumer(), second_consumer = second_queue.consumer();
  Selector selector;
};

TEST(Selector, MendsWhatTheDeadHeldInEachOfItsSegments) {
  Pair pair;
  for (std::size_t i = 0; i < 2; ++i) {
    auto& queue = i == 0 ? pair.first_queue : pair.second_queue;
    const std::string name = i == 0 ? pair.first_name : pair.second_name;
    ASSERT_EQ(queue.producer().send(bytes_of("held")), Outcome::ok);
    Shared<std::atomic<bool>> ready;
    Child victim([&]() -> std::string {
      auto mine = opened(name);
      auto theirs = mine.open_queue("q").value();
      auto consumer = theirs.consumer();
      auto message = consumer.receive();
      auto claim = theirs.producer().claim(8);
      *ready = true;
      for (;;) ::pause();
    });
    ASSERT_TRUE(eventually([&] { return ready->load(); }));
    ASSERT_EQ(queue.producer().send(bytes_of("behind")), Outcome::ok);
    EXPECT_EQ(pair.selector.receive(5ms).outcome(), Outcome::timeout);
    victim.kill();
    Selected held = pair.selector.receive(kPatience);
    ASSERT_TRUE(held);
    EXPECT_EQ(held.source, i);
    EXPECT_EQ(text_of(held.message), "held");
    EXPECT_TRUE(held.message.redelivered());
    held.message.release();
    Selected behind = pair.selector.receive(kPatience);
    EXPECT_EQ(text_of(behind.message), "behind");
    behind.message.release();
  }
}

/// Publishes "mute" and is killed before it looks whether somebody sleeps.
std::string publish_and_die(const std::string& name) {
  auto attachment = shmq::core::Attachment::open(name, {}).value();
  auto queue = shmq::objects::open_queue(attachment, "q", 0).value();
  const auto grant = queue->ring.try_claim(attachment->me());
  if (grant.status != shmq::core::RingStatus::ok) return "claim";
  std::memcpy(queue->payload(grant.position), "mute", 4);
  queue->slot(grant.position).descriptor.store(shmq::layout::descriptor(4, 0));
  queue->ring.publish(grant.position);
  ::kill(::getpid(), SIGKILL);
  return "lives";
}

TEST(Selector, IsNotLeftAsleepByAPublisherThatDiesBeforeItsWake) {
  Pair pair;
  Shared<std::atomic<bool>> ready;
  Child receiver([&]() -> std::string {
    auto first = opened(pair.first_name), second = opened(pair.second_name);
    auto one = first.open_queue("q").value().consumer(), two = second.open_queue("q").value().consumer();
    Selector selector;
    selector.add(one);
    selector.add(two);
    *ready = true;
    Selected got = selector.receive();  // without a limit: nothing else ends its sleep
    if (got.source != 1 || text_of(got.message) != "mute") return "got " + text_of(got.message);
    got.message.release();
    return {};
  });
  ASSERT_TRUE(eventually([&] { return ready->load(); }));
  ::usleep(30'000);  // it sleeps by then
  EXPECT_EQ(in_child([&] { return publish_and_die(pair.second_name); }), "killed by signal 9");
  EXPECT_EQ(receiver.result(), "");
}

TEST(Selector, HearsThatASegmentWasRemovedByARemoverThatDied) {
  Pair pair;
  Child victim([&]() -> std::string {
    ::usleep(30'000);
    auto attachment = shmq::core::Attachment::open(pair.second_name, {}).value();
    attachment->view().header().state.store(1);  // the first step of a removal
    ::kill(::getpid(), SIGKILL);
    return "lives";
  });
  EXPECT_EQ(pair.selector.receive(200ms).outcome(), Outcome::timeout);
  EXPECT_EQ(pair.selector.state(1), Outcome::removed);
  EXPECT_EQ(victim.result(), "killed by signal 9");
}

class Refusal : public ::testing::TestWithParam<int> {};

TEST_P(Refusal, OfFutexWaitvMakesASelectorLookMoreOftenAndNothingElse) {
  // All in a child: the filter stays with the process. The names are cleaned up here.
  const Name first("refusal-a"), second("refusal-b");
  EXPECT_EQ(in_child([&]() -> std::string {
              auto a = shmq::Segment::create(first, {.size_bytes = 1u << 20}).value();
              auto b = shmq::Segment::create(second, {.size_bytes = 1u << 20}).value();
              auto in_a = queue_of(a, "q", {.capacity = 4}), in_b = queue_of(b, "q", {.capacity = 4});
              auto one = in_a.consumer(), two = in_b.consumer();
              Selector selector;
              selector.add(one);
              selector.add(two);
              if (const std::string why = refuse(449, GetParam()); !why.empty()) return why;
              for (const std::string& name : {first.text(), second.text(), second.text(), first.text()}) {
                Child sender([&]() -> std::string {
                  ::usleep(10'000);
                  auto mine = opened(name);
                  auto q = mine.open_queue("q").value();
                  return q.producer().send(bytes_of(name)) == Outcome::ok ? "" : "send";
                });
                Selected got = selector.receive(kPatience);
                if (text_of(got.message) != name) return "got " + text_of(got.message);
                got.message.release();
                if (const std::string said = sender.result(); !said.empty()) return said;
              }
              // It sleeps between its looks: a wait of 100 ms that only spins gives its core away at most now
              // and then.
              rusage before{}, after{};
              ::getrusage(RUSAGE_SELF, &before);
              if (selector.receive(100ms).outcome() != Outcome::timeout) return "no timeout";
              ::getrusage(RUSAGE_SELF, &after);
              const long sleeps = after.ru_nvcsw - before.ru_nvcsw;
              return sleeps >= 10 ? "" : "it slept only " + std::to_string(sleeps) + " times";
            }),
            "");
}

INSTANTIATE_TEST_SUITE_P(With, Refusal, ::testing::Values(ENOSYS, EPERM), [](const auto& each) {
  return std::string(each.param == ENOSYS ? "ENOSYS" : "EPERM");
});

TEST(Selector, OfAForkedChildAnswersDetached) {
  Pair pair;
  ASSERT_EQ(pair.first_queue.producer().send(bytes_of("the parent's")), Outcome::ok);
  EXPECT_EQ(in_child([&]() -> std::string {
              auto mine = opened(pair.second_name);
              auto consumer = mine.open_queue("q").value().consumer();
              const std::size_t number = pair.selector.add(consumer);
              for (std::size_t i = 0; i < 2; ++i) {
                Selected got = pair.selector.receive();
                if (got.outcome() != Outcome::detached || got.source != i) return "not detached";
              }
              if (pair.selector.try_receive().outcome() != Outcome::empty) return "not empty";
              if (mine.open_queue("q").value().producer().send(bytes_of("own")) != Outcome::ok) return "send";
              Selected own = pair.selector.receive(kPatience);
              if (own.source != number || text_of(own.message) != "own") return "not its own message";
              own.message.release();
              return {};
            }),
            "");
  Selected got = pair.selector.receive(kPatience);
  EXPECT_EQ(text_of(got.message), "the parent's");
  EXPECT_FALSE(got.message.redelivered());
  got.message.release();
}

}  // namespace
}  // namespace faults
