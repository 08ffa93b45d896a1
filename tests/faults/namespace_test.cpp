// Two pid namespaces on one /dev/shm, as two containers that share it have: pids mean nothing across them,
// and may even be equal; locks do.
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/participants.hpp"
#include "support.hpp"

namespace faults {
namespace {

using shmq::Outcome;

struct State {
  std::atomic<int> step{0};
  std::atomic<pid_t> inner{0};       // as this namespace sees it
  std::atomic<pid_t> inner_self{0};  // as it sees itself
};

/// Runs the story as pid 1 of a new pid namespace; its pid here goes into `state`.
std::string in_namespace(Shared<State>& state, const Story& story) {
  if (::unshare(CLONE_NEWPID) != 0) return std::string("unshare: ") + std::strerror(errno);
  Child inner([&]() -> std::string {
    state->inner_self = ::getpid();
    return story();
  });
  state->inner = inner.pid();
  return inner.result();
}

TEST(PidNamespaces, ExchangeMessagesAndSeeWhoIsAlive) {
  FAULTS_NEED_ROOT();
  const Name name("pidns");
  auto segment = shmq::Segment::create(name, {.size_bytes = 8u << 20}).value();
  auto to_inner = queue_of(segment, "to", {.capacity = 8});
  auto from_inner = queue_of(segment, "from", {.capacity = 8});
  Shared<State> state;
  Child outer([&] {
    return in_namespace(state, [&]() -> std::string {
      if (::getpid() != 1) return "is not pid 1 of its namespace";
      auto mine = opened(name);
      // The living of the other namespace are alive, whatever the pids say.
      if (mine.reap().total() != 0) return "took a living process of the other namespace for dead";
      auto consumer = mine.open_queue("to").value().consumer();
      auto producer = mine.open_queue("from").value().producer();
      for (int i = 0; i < 100; ++i) {
        shmq::Message ping = consumer.receive(kPatience);
        if (!ping) return std::string("receive said ") + to_string(ping.outcome());
        if (producer.send(ping.data(), kPatience) != Outcome::ok) return "send";
        ping.release();
      }
      shmq::Message held = consumer.receive(kPatience);
      state->step = 1;
      ::pause();
      return {};
    });
  });
  auto producer = to_inner.producer();
  auto consumer = from_inner.consumer();
  for (int i = 0; i < 100; ++i) {
    const std::string text = "ping " + std::to_string(i);
    ASSERT_EQ(producer.send(bytes_of(text), kPatience), Outcome::ok);
    shmq::Message pong = consumer.receive(kPatience);
    ASSERT_TRUE(pong) << pong.outcome();
    ASSERT_EQ(text_of(pong), text);
    pong.release();
  }
  ASSERT_EQ(producer.send(bytes_of("held")), Outcome::ok);
  ASSERT_TRUE(eventually([&] { return state->step == 1; }));
  EXPECT_EQ(state->inner_self, 1);
  EXPECT_EQ(segment.reap().total(), 0u) << "pid 1 of another namespace is alive";
  ::kill(state->inner, SIGKILL);
  EXPECT_EQ(outer.result(), "killed by signal 9");
  shmq::Message again = to_inner.consumer().receive(kPatience);
  EXPECT_EQ(text_of(again), "held");
  EXPECT_TRUE(again.redelivered());
  again.release();
}

TEST(PidNamespaces, TheDeathOfTheOuterProcessIsSeenFromInside) {
  FAULTS_NEED_ROOT();
  const Name name("pidns");
  auto segment = shmq::Segment::create(name, {.size_bytes = 8u << 20}).value();
  auto queue = queue_of(segment, "q", {.capacity = 8});
  ASSERT_EQ(queue.producer().send(bytes_of("held")), Outcome::ok);
  Shared<State> state;
  Child victim([&]() -> std::string {
    auto mine = opened(name);
    auto held = mine.open_queue("q").value().consumer().receive();
    state->step = 1;
    ::pause();
    return {};
  });
  ASSERT_TRUE(eventually([&] { return state->step == 1; }));
  Child outer([&] {
    return in_namespace(state, [&]() -> std::string {
      auto mine = opened(name);
      auto consumer = mine.open_queue("q").value().consumer();
      if (consumer.receive(100ms).outcome() != Outcome::timeout) return "robbed the living";
      state->step = 2;
      shmq::Message again = consumer.receive(kPatience);
      if (!again || !again.redelivered()) return std::string("receive said ") + to_string(again.outcome());
      again.release();
      return {};
    });
  });
  ASSERT_TRUE(eventually([&] { return state->step == 2; }));
  victim.kill();
  EXPECT_EQ(outer.result(), "");
}

}  // namespace
}  // namespace faults
