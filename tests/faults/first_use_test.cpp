// A child that is forked while another thread uses the library for the first time in its process.
#include <linux/membarrier.h>
#include <pthread.h>
#include <sys/syscall.h>

#include <thread>

#include "support.hpp"

namespace faults {
namespace {

std::atomic<bool> slow{false}, inside{false}, go_on{false};

/// While it is slow, who comes here stands here.
void stand() {
  if (!slow) return;
  inside = true;
  while (!go_on) std::this_thread::yield();
}

}  // namespace
}  // namespace faults

// What a process does once, at a first use: the linker puts these in the place of the C library's (--wrap).
extern "C" {
int __real_pthread_atfork(void (*)(), void (*)(), void (*)());
int __wrap_pthread_atfork(void (*before)(), void (*parent)(), void (*child)()) {
  faults::stand();
  return __real_pthread_atfork(before, parent, child);
}
long __real_syscall(long, ...);
long __wrap_syscall(long number, long a, long b, long c, long d, long e, long f) {
  if (number == SYS_membarrier && a == MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED) faults::stand();
  return __real_syscall(number, a, b, c, d, e, f);
}
}

namespace faults {
namespace {

/// Forks a child that runs `story` while another thread is in `first` for the first time in this process. CTest gives each
/// test a process of its own.
std::string beside(const std::function<void()>& first, const Story& story) {
  slow = true;
  inside = go_on = false;
  std::atomic<bool> done{false};
  std::jthread other([&] {
    first();
    done = true;
  });
  EXPECT_TRUE(eventually([&] { return inside || done; }));
  const std::string said = in_child([&] {
    slow = false;
    return story();
  });
  go_on = true;
  other.join();
  slow = false;
  return said;
}

TEST(FirstUse, OfASegmentByAThreadDoesNotHoldUpAForkedChild) {
  const Name name("first"), childs("first-child");
  EXPECT_EQ(beside([&] { (void)shmq::Segment::create(name, {.size_bytes = 1u << 20}); },
                   [&]() -> std::string {
                     auto segment = shmq::Segment::create(childs, {.size_bytes = 1u << 20});
                     return segment ? "" : segment.error().message();
                   }),
            "");
}

TEST(FirstUse, OfADescriptorByAThreadDoesNotHoldUpAForkedChild) {
  const Name name("first-watch"), childs("first-watch-child");
  auto segment = shmq::Segment::create(name, {.size_bytes = 1u << 20}).value();
  auto consumer = queue_of(segment, "q", {.capacity = 8}).consumer();
  EXPECT_EQ(beside([&] { (void)consumer.descriptor(); },
                   [&]() -> std::string {
                     auto mine = shmq::Segment::create(childs, {.size_bytes = 1u << 20}).value();
                     auto own = queue_of(mine, "q", {.capacity = 8}).consumer();
                     const auto descriptor = own.descriptor();
                     return descriptor ? "" : descriptor.error().message();
                   }),
            "");
}

}  // namespace
}  // namespace faults
