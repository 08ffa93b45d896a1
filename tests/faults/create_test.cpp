// Creators that are killed: no half segment, no leftover for good.
#include <unistd.h>

#include <cstdio>
#include <random>
#include <thread>

#include "support.hpp"

namespace faults {
namespace {

TEST(KilledCreator, LeavesNothingThatTheNextCreateDoesNotCollect) {
  const Name name("create");
  std::mt19937 dice(1);
  int leftovers = 0, complete = 0, nothing = 0;
  // Until each of the three was seen: where the kill falls is the kernel's choice.
  for (int round = 0; round < 2000 && (leftovers < 3 || complete < 3 || nothing < 3 || round < 60); ++round) {
    Shared<std::atomic<bool>> begun;
    Child creator([&]() -> std::string {
      begun->store(true);
      auto made = shmq::Segment::create(name, {.size_bytes = 24u << 20, .prefault = true});
      ::pause();
      return made ? "" : made.error().message();
    });
    while (!begun->load()) std::this_thread::yield();
    std::this_thread::sleep_for(std::chrono::microseconds(dice() % 25'000));
    creator.kill();
    const std::string temporaries = ".shmq." + name.text();
    std::size_t temporary = 0;
    for (const std::string& file : shm_files(name.text())) temporary += file != "shmq." + name.text();
    leftovers += temporary > 0;
    if (auto segment = shmq::Segment::open(name)) {
      ++complete;
      auto queue = segment->queue("q", {.capacity = 8});
      ASSERT_TRUE(queue) << queue.error();
      EXPECT_EQ(queue->producer().try_send(bytes_of("works")), shmq::Outcome::ok);
      EXPECT_EQ(segment->reap().total(), 0u) << "opening it has mended everything";
    } else {
      EXPECT_EQ(segment.error().code(), shmq::ErrorCode::not_found) << segment.error();
      ++nothing;
    }
    (void)shmq::Segment::remove(name);
    if (round % 2 == 0) {
      const Name other("other");
      ASSERT_TRUE(shmq::Segment::create(other, {.size_bytes = 1u << 20}));
    } else {
      (void)shmq::Segment::collect_leftovers();
    }
    EXPECT_TRUE(shm_files(name.text()).empty()) << shm_files(name.text()).front();
  }
  std::printf("%d leftovers collected, %d segments complete, %d not there\n", leftovers, complete, nothing);
  EXPECT_GT(leftovers, 0);
  EXPECT_GT(complete, 0);
}

TEST(KilledCreator, OfAQueueIsClearedAwayByTheNextDeclaration) {
  const Name name("queue");
  auto segment = shmq::Segment::create(name, {.size_bytes = 24u << 20, .blocks = {{}}}).value();
  std::mt19937 dice(2);
  const shmq::QueueOptions large{.capacity = 1 << 17, .slot_bytes = 64};
  for (int round = 0; round < 60; ++round) {
    Shared<std::atomic<bool>> begun;
    Child creator([&]() -> std::string {
      auto mine = opened(name);
      begun->store(true);
      (void)mine.queue("q", large);
      ::pause();
      return {};
    });
    while (!begun->load()) std::this_thread::yield();
    std::this_thread::sleep_for(std::chrono::microseconds(dice() % 6'000));
    creator.kill();
    // Complete or absent; and of 24 MiB there is room for one such queue only.
    auto queue = segment.queue("q", large);
    ASSERT_TRUE(queue) << queue.error() << " in round " << round;
    EXPECT_EQ(queue->producer().try_send(bytes_of("x")), shmq::Outcome::ok);
    queue = shmq::Error(shmq::ErrorCode::system, "");
    ASSERT_TRUE(segment.remove_queue("q"));
  }
}

}  // namespace
}  // namespace faults
