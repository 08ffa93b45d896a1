// Without membarrier, as in a container whose seccomp filter refuses it: publishers fence instead, and nobody
// sleeps through a wake-up.
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <thread>

#include "core/directory.hpp"
#include "shmq/core/event.hpp"
#include "shmq/layout/queue_header.hpp"
#include "support.hpp"

namespace faults {
namespace {

using shmq::Outcome;

/// From here on membarrier answers EPERM in this process.
std::string refuse_membarrier() {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter{static_cast<unsigned short>(std::size(program)), program};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0)
    return std::string("cannot install a seccomp filter: ") + std::strerror(errno);
  return ::syscall(SYS_membarrier, 0, 0, 0) < 0 && errno == EPERM ? "" : "the filter does nothing";
}

enum class Refused { nobody, publisher, sleeper, both };
class Membarrier : public ::testing::TestWithParam<Refused> {
 protected:
  bool publisher() const { return GetParam() == Refused::publisher || GetParam() == Refused::both; }
  bool sleeper() const { return GetParam() == Refused::sleeper || GetParam() == Refused::both; }
};

struct Table {
  shmq::core::EventWord ball[2]{};
  alignas(128) std::atomic<int> turn[2]{};
};

/// Sleeps without an end: a wake-up that is lost is a hang, and no slice hides it.
void play(Table& table, int side, int rounds) {
  for (int i = 1; i <= rounds; ++i) {
    if (side == 0) {
      table.turn[0].store(i, std::memory_order_release);
      shmq::core::notify(table.ball[0]);
    }
    const int other = 1 - side;
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

TEST_P(Membarrier, NoWakeUpIsLostBetweenTwoProcesses) {
  Shared<Table> table;
  constexpr int kRounds = 20'000;
  const auto player = [&](int side, bool refused) {
    return [&table, side, refused]() -> std::string {
      if (refused)
        if (const std::string why = refuse_membarrier(); !why.empty()) return why;
      if (shmq::os::membarrier_available() == refused) return "membarrier is not as it should be";
      for (auto& ball : table->ball) shmq::core::declare_barriers(ball);
      play(*table, side, kRounds);
      return {};
    };
  };
  Child first(player(0, publisher()));
  Child second(player(1, sleeper()));
  EXPECT_EQ(first.result(), "");
  EXPECT_EQ(second.result(), "");
  const bool fences = table->ball[0].load() & shmq::core::kEventFence;
  EXPECT_EQ(fences, publisher() || sleeper());
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
