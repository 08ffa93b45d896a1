// Without membarrier, as in a container whose seccomp filter refuses it: publishers fence instead, and nobody
// sleeps through a wake-up.
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <thread>

#include "core/directory.hpp"
#include "shmq/core/event.hpp"
#include "seccomp.hpp"
#include "shmq/layout/queue_header.hpp"
#include "support.hpp"

namespace faults {
namespace {

using shmq::Outcome;

std::string refuse_membarrier() { return refuse(SYS_membarrier, EPERM); }

enum class Refused { nobody, publisher, sleeper, both };
class Membarrier : public ::testing::TestWithParam<Refused> {
 protected:
  bool publisher() const { return GetParam() == Refused::publisher || GetParam() == Refused::both; }
  bool sleeper() const { return GetParam() == Refused::sleeper || GetParam() == Refused::both; }
};

struct Table {
  shmq::core::EventWord ball[2]{};
  shmq::core::EventWord nothing{};  // waited for beside a ball: nobody ever notifies it
  alignas(128) std::atomic<int> turn[2]{};
};

/// Sleeps without an end: a wake-up that is lost is a hang, and no slice hides it. On several events at once
/// with `several`.
void play(Table& table, int side, int rounds, bool several) {
  for (int i = 1; i <= rounds; ++i) {
    if (side == 0) {
      table.turn[0].store(i, std::memory_order_release);
      shmq::core::notify(table.ball[0]);
    }
    const int other = 1 - side;
    while (several && table.turn[other].load(std::memory_order_acquire) < i) {
      shmq::os::FutexSleep sleeps[] = {{&table.nothing}, {&table.ball[other]}};
      shmq::core::prepare_sleep(sleeps);
      if (table.turn[other].load(std::memory_order_acquire) >= i) break;
      shmq::os::futex_wait_any(sleeps, -1);
    }
    while (table.turn[other].load(std::memory_order_acquire) < i) {
      const std::uint32_t expected = shmq::core::prepare_sleep(table.ball[other]);
      if (table.turn[other].load(std::memory_order_acquire) >= i) break;
      shmq::os::futex_wait(table.ball[other], expected, -1);
    }
    if (side == 1) {
      table.turn[1].store(i, std::memory_order_release);
      shmq::core::notify(table.ball[1]);
    }
  }
}

void expect_no_wake_up_lost(bool publisher, bool sleeper, bool several) {
  Shared<Table> table;
  constexpr int kRounds = 20'000;
  const auto player = [&](int side, bool refused) {
    return [&table, side, refused, several]() -> std::string {
      if (refused)
        if (const std::string why = refuse_membarrier(); !why.empty()) return why;
      if (shmq::os::membarrier_available() == refused) return "membarrier is not as it should be";
      for (auto& ball : table->ball) shmq::core::declare_barriers(ball);
      play(*table, side, kRounds, several);
      return {};
    };
  };
  Child first(player(0, publisher));
  Child second(player(1, sleeper));
  EXPECT_EQ(first.result(), "");
  EXPECT_EQ(second.result(), "");
  const bool fences = table->ball[0].load() & shmq::core::kEventFence;
  EXPECT_EQ(fences, publisher || sleeper);
}

TEST_P(Membarrier, NoWakeUpIsLostBetweenTwoProcesses) { expect_no_wake_up_lost(publisher(), sleeper(), false); }

TEST_P(Membarrier, NoWakeUpIsLostBetweenTwoProcessesThatWaitForSeveralEvents) {
  expect_no_wake_up_lost(publisher(), sleeper(), true);
}

TEST_P(Membarrier, AQueueNotesThatItsPublishersMustFence) {
  const Name name("membarrier");
  // All in children: whether there is membarrier is asked once in a process, and inherited.
  ASSERT_EQ(in_child([&]() -> std::string {
              auto segment = shmq::Segment::create(name, {.size_bytes = 1u << 20}).value();
              return segment.queue("q", {.capacity = 4}) ? "" : "no queue";
            }),
            "");
  const auto with = [](bool refused) { return refused ? refuse_membarrier() : std::string(); };
  Child receiver([&]() -> std::string {
    if (const std::string why = with(sleeper()); !why.empty()) return why;
    auto mine = opened(name);
    auto consumer = mine.open_queue("q").value().consumer();
    for (int i = 0; i < 3000; ++i) {
      shmq::Message message = consumer.receive(kPatience);
      if (text_of(message) != std::to_string(i))
        return "got \"" + text_of(message) + "\" for " + std::to_string(i);
      message.release();
    }
    return {};
  });
  Child sender([&]() -> std::string {
    if (const std::string why = with(publisher()); !why.empty()) return why;
    auto mine = opened(name);
    auto producer = mine.open_queue("q").value().producer();
    for (int i = 0; i < 3000; ++i) {
      if (i % 3 == 0) std::this_thread::sleep_for(60us);  // the receiver falls asleep
      if (producer.send(bytes_of(std::to_string(i)), kPatience) != Outcome::ok) return "send";
    }
    return {};
  });
  EXPECT_EQ(receiver.result(), "");
  EXPECT_EQ(sender.result(), "");
  EXPECT_EQ(in_child([&]() -> std::string {
              auto attachment = shmq::core::Attachment::open(name, {}).value();
              std::string wrong;
              shmq::core::Directory(*attachment)
                  .for_each([&](const shmq::core::ObjectSpace& space, shmq::layout::ObjectKind) {
                    const auto& header = *attachment->view().at<shmq::layout::QueueHeader>(space.offset);
                    for (const auto* event : {&header.data_event, &header.space_event})
                      if (((event->load() & shmq::core::kEventFence) != 0) != (publisher() || sleeper()))
                        wrong = "the fence bit";
                  });
              return wrong;
            }),
            "");
}

TEST(MembarrierRefusedLater, IsNotedByTheFirstWhoFallsAsleep) {
  // A program that locks itself in only after it has attached.
  Shared<Table> table;
  EXPECT_EQ(in_child([&]() -> std::string {
              if (!shmq::os::membarrier_available()) return "no membarrier to begin with";
              shmq::core::declare_barriers(table->ball[0]);
              if (table->ball[0].load() & shmq::core::kEventFence) return "fences for nothing";
              if (const std::string why = refuse_membarrier(); !why.empty()) return why;
              shmq::os::FutexSleep sleeps[] = {{&table->ball[1]}, {&table->nothing}};
              shmq::core::prepare_sleep(sleeps);
              for (const auto& sleep : sleeps)
                if (!(sleep.word->load() & shmq::core::kEventFence) || sleep.word->load() != sleep.expected)
                  return "publishers of several events do not learn that they must fence";
              (void)shmq::core::prepare_sleep(table->ball[0]);
              return table->ball[0].load() & shmq::core::kEventFence
                         ? ""
                         : "publishers do not learn that they must fence";
            }),
            "");
}

INSTANTIATE_TEST_SUITE_P(
    All, Membarrier, ::testing::Values(Refused::nobody, Refused::publisher, Refused::sleeper, Refused::both),
    [](const auto& kind) {
      return std::string(kind.param == Refused::nobody      ? "is_there"
                         : kind.param == Refused::publisher ? "is_refused_to_the_publisher"
                         : kind.param == Refused::sleeper   ? "is_refused_to_the_sleeper"
                                                            : "is_refused_to_both");
    });

}  // namespace
}  // namespace faults
