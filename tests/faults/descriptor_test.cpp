// Consumers' descriptors among deaths, forks, refused system calls and exhausted limits.
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <optional>
#include <thread>
#include <vector>

#include "objects/queue_object.hpp"
#include "seccomp.hpp"
#include "support.hpp"

namespace faults {
namespace {

using shmq::ErrorCode;
using shmq::Outcome;

bool readable(int descriptor, std::chrono::milliseconds patience = kPatience) {
  pollfd watched{descriptor, POLLIN, 0};
  return ::poll(&watched, 1, static_cast<int>(patience.count())) == 1 && (watched.revents & POLLIN) != 0;
}

/// Waits as an event loop does, and receives.
shmq::Message poll_one(shmq::Consumer<void>& consumer) {
  const int descriptor = consumer.descriptor().value();
  for (;;) {
    if (consumer.arm() == Outcome::empty && !readable(descriptor)) return {};
    if (shmq::Message message = consumer.try_receive(); message.outcome() != Outcome::empty) return message;
  }
}

struct OneQueue {
  explicit OneQueue(const std::string& what) : name(what) {}
  Name name;
  shmq::Segment segment = shmq::Segment::create(name, {.size_bytes = 1u << 20}).value();
  shmq::Queue<void> queue = queue_of(segment, "q", {.capacity = 8});
  shmq::Consumer<void> consumer = queue.consumer();
};

TEST(Descriptor, BecomesReadableThoughThePublisherDiedBeforeItsWake) {
  OneQueue one("mute");
  const int descriptor = one.consumer.descriptor().value();
  ASSERT_EQ(one.consumer.arm(), Outcome::empty);
  EXPECT_EQ(in_child([&]() -> std::string {
              auto attachment = shmq::core::Attachment::open(one.name, {}).value();
              auto queue = shmq::objects::open_queue(attachment, "q", 0).value();
              const auto grant = queue->ring.try_claim(attachment->me());
              if (grant.status != shmq::core::RingStatus::ok) return "claim";
              std::memcpy(queue->payload(grant.position), "mute", 4);
              queue->slot(grant.position).descriptor.store(shmq::layout::descriptor(4, 0));
              queue->ring.publish(grant.position);
              ::kill(::getpid(), SIGKILL);
              return "lives";
            }),
            "killed by signal 9");
  EXPECT_TRUE(readable(descriptor));
  shmq::Message message = one.consumer.try_receive();
  EXPECT_EQ(text_of(message), "mute");
  message.release();
}

TEST(Descriptor, BecomesReadableWhenWhoHeldTheMessageIsDead) {
  OneQueue one("held");
  ASSERT_EQ(one.queue.producer().send(bytes_of("held")), Outcome::ok);
  Shared<std::atomic<bool>> ready;
  Child victim([&]() -> std::string {
    auto mine = opened(one.name);
    auto consumer = mine.open_queue("q").value().consumer();
    auto message = consumer.receive();
    *ready = true;
    for (;;) ::pause();
  });
  ASSERT_TRUE(eventually([&] { return ready->load(); }));
  const int descriptor = one.consumer.descriptor().value();
  ASSERT_EQ(one.consumer.arm(), Outcome::empty);
  EXPECT_FALSE(readable(descriptor, 50ms));
  victim.kill();
  EXPECT_TRUE(readable(descriptor)) << "nobody but the helper looks for the dead here";
  shmq::Message message = one.consumer.try_receive();
  EXPECT_EQ(text_of(message), "held");
  EXPECT_TRUE(message.redelivered());
  message.release();
}

TEST(Descriptor, HearsThatItsSegmentWasRemovedByARemoverThatDied) {
  OneQueue one("removed");
  const int descriptor = one.consumer.descriptor().value();
  ASSERT_EQ(one.consumer.arm(), Outcome::empty);
  EXPECT_EQ(in_child([&]() -> std::string {
              auto attachment = shmq::core::Attachment::open(one.name, {}).value();
              attachment->view().header().state.store(1);  // the first step of a removal
              ::kill(::getpid(), SIGKILL);
              return "lives";
            }),
            "killed by signal 9");
  EXPECT_TRUE(readable(descriptor));
  EXPECT_EQ(one.consumer.try_receive().outcome(), Outcome::removed);
}

class RefusedWaitv : public ::testing::TestWithParam<int> {};

TEST_P(RefusedWaitv, MakesTheHelperLookMoreOftenAndNothingElse) {
  const Name name("waitv");
  EXPECT_EQ(in_child([&]() -> std::string {
              auto segment = shmq::Segment::create(name, {.size_bytes = 1u << 20}).value();
              auto queue = queue_of(segment, "q", {.capacity = 8});
              auto consumer = queue.consumer();
              if (const std::string why = refuse(449, GetParam()); !why.empty()) return why;
              auto producer = queue.producer();
              const int descriptor = consumer.descriptor().value();
              for (int i = 0; i < 20; ++i) {
                if (consumer.arm() != Outcome::empty) return "not empty";
                std::jthread sender([&] {
                  std::this_thread::sleep_for(std::chrono::milliseconds(i % 4));
                  (void)producer.send(bytes_of(std::to_string(i)));
                });
                if (!readable(descriptor)) return "never readable";
                sender.join();
                shmq::Message message = consumer.try_receive();
                if (text_of(message) != std::to_string(i)) return "got " + text_of(message);
                message.release();
              }
              return {};
            }),
            "");
}

INSTANTIATE_TEST_SUITE_P(With, RefusedWaitv, ::testing::Values(ENOSYS, EPERM), [](const auto& each) {
  return std::string(each.param == ENOSYS ? "ENOSYS" : "EPERM");
});

TEST(Descriptor, OfAForkedChildIsDetachedAndTheParentsStaysAsItWas) {
  OneQueue one("fork");
  const int descriptor = one.consumer.descriptor().value();
  ASSERT_EQ(one.consumer.arm(), Outcome::empty);
  std::optional<shmq::Consumer<void>> never_asked(one.queue.consumer());
  EXPECT_EQ(in_child([&]() -> std::string {
              if (one.consumer.arm() != Outcome::detached) return "arm";
              if (one.consumer.descriptor().error().code() != ErrorCode::detached) return "descriptor";
              if (never_asked->descriptor().error().code() != ErrorCode::detached)
                return "a first descriptor";
              one.consumer.disarm();
              { const auto destroyed = std::move(one.consumer); }
              // Attached anew there is a helper of its own.
              auto mine = opened(one.name);
              auto queue = mine.open_queue("q").value();
              auto consumer = queue.consumer();
              const int own = consumer.descriptor().value();
              if (consumer.arm() != Outcome::empty) return "not empty";
              if (queue.producer().send(bytes_of("the child's")) != Outcome::ok) return "send";
              if (!readable(own)) return "its own descriptor is not readable";
              shmq::Message message = consumer.try_receive();
              if (text_of(message) != "the child's") return "got " + text_of(message);
              message.release();
              return {};
            }),
            "");
  EXPECT_TRUE(readable(descriptor)) << "the child's message passed by here, too";
  EXPECT_EQ(one.consumer.try_receive().outcome(), Outcome::empty);
  ASSERT_EQ(one.consumer.arm(), Outcome::empty);
  ASSERT_EQ(one.queue.producer().send(bytes_of("the parent's")), Outcome::ok);
  EXPECT_TRUE(readable(descriptor));
  poll_one(one.consumer).release();
}

TEST(Descriptor, WorksInChildrenThatWereForkedWhileTheHelperWasBusy) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "AddressSanitizer's allocator does not take its locks around a fork: a child that is born while "
                  "another thread allocates waits for one at its first allocation";
#endif
  OneQueue one("busy");
  std::jthread arming([&](const std::stop_token& stop) {
    auto consumer = one.queue.consumer();
    auto producer = one.queue.producer();
    while (!stop.stop_requested()) {
      auto another = one.queue.consumer();
      (void)another.descriptor();
      (void)another.arm();
      (void)producer.try_send(bytes_of("x"));
      if (shmq::Message message = poll_one(consumer)) message.release();
    }
  });
  for (int i = 0; i < 50; ++i) {
    const Name name("grandchild");
    ASSERT_EQ(in_child([&]() -> std::string {
                auto segment = shmq::Segment::create(name, {.size_bytes = 1u << 20}).value();
                auto queue = queue_of(segment, "q", {.capacity = 8});
                auto consumer = queue.consumer();
                const int descriptor = consumer.descriptor().value();
                if (consumer.arm() != Outcome::empty) return "not empty";
                (void)queue.producer().send(bytes_of("x"));
                return readable(descriptor) ? "" : "not readable";
              }),
              "")
        << "child " << i;
  }
}

TEST(Descriptor, SaysSoWhenThereIsNoThreadToBeHad) {
  const Name name("threads");
  EXPECT_EQ(in_child([&]() -> std::string {
              auto segment = shmq::Segment::create(name, {.size_bytes = 1u << 20}).value();
              auto consumer = queue_of(segment, "my-queue", {.capacity = 8}).consumer();
              const int next = ::dup(0);
              ::close(next);
              // What the kernel answers when the user's processes, or the container's, are all there.
              if (const std::string why = refuse(SYS_clone3, EAGAIN); !why.empty()) return why;
              const auto refused = consumer.descriptor();
              if (refused) return "there was one";
              if (refused.error().code() != ErrorCode::no_space) return "not no_space";
              for (const char* part : {"my-queue", "thread", "ulimit -u", "pids.max"})
                if (refused.error().message().find(part) == std::string::npos)
                  return refused.error().message();
              if (const int after = ::dup(0); after != next) return "a descriptor was left open";
              // The consumer is as it was.
              if (consumer.arm() != Outcome::empty) return "arm";
              return consumer.receive(1ms).outcome() == Outcome::timeout ? "" : "receive";
            }),
            "");
}

TEST(Descriptor, SaysSoWhenThereIsNoDescriptorToBeHad) {
  const Name name("files");
  EXPECT_EQ(in_child([&]() -> std::string {
              auto segment = shmq::Segment::create(name, {.size_bytes = 1u << 20}).value();
              auto consumer = queue_of(segment, "my-queue", {.capacity = 8}).consumer();
              const int next = ::dup(0);
              ::close(next);
              const rlimit full{static_cast<rlim_t>(next), static_cast<rlim_t>(next)};
              rlimit before{};
              ::getrlimit(RLIMIT_NOFILE, &before);
              const rlimit soft{full.rlim_cur, before.rlim_max};
              if (::setrlimit(RLIMIT_NOFILE, &soft) != 0) return "setrlimit";
              const auto refused = consumer.descriptor();
              if (refused) return "there was one";
              if (refused.error().code() != ErrorCode::no_space) return "not no_space";
              for (const char* part : {"my-queue", "descriptors", "ulimit -n"})
                if (refused.error().message().find(part) == std::string::npos)
                  return refused.error().message();
              ::setrlimit(RLIMIT_NOFILE, &before);
              return consumer.descriptor() ? "" : "not even now";
            }),
            "");
}

TEST(Descriptor, IsNoTroubleAtTheEndOfTheProcess) {
  OneQueue one("exit");
  for (const bool destroyed : {false, true}) {
    const pid_t child = ::fork();
    if (child == 0) {
      // Of static life: destroyed while the process exits, after everything that is made later; or never.
      static std::optional<shmq::Segment> segment;
      static std::optional<shmq::Consumer<void>> consumer;
      static shmq::Consumer<void>* forgotten = nullptr;
      segment = opened(one.name);
      consumer = segment->open_queue("q").value().consumer();
      forgotten = new shmq::Consumer<void>(segment->open_queue("q").value().consumer());
      auto& armed = destroyed ? *consumer : *forgotten;
      if (!armed.descriptor() || armed.arm() != Outcome::empty) ::_exit(2);
      std::exit(0);
    }
    int status = 0;
    for (int i = 0; ::waitpid(child, &status, WNOHANG) == 0; ++i) {
      if (i > 60'000) ::kill(child, SIGKILL);
      ::usleep(1000);
    }
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "status " << status;
  }
}

}  // namespace
}  // namespace faults
