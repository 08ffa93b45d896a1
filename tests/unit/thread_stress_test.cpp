// Threads as users, for ThreadSanitizer: it follows every access that the library makes and reports those
// that no synchronisation orders. No forks; a "dead" participant is one whose lock was let go.
//
// ThreadSanitizer goes by address, and each attachment maps the segment somewhere else: what two attachments
// do to the same word is no race to it. So each test runs with threads that share an attachment, and with
// threads that attach themselves, which finds what is wrong outside of the segment. mpmc_ring_thread_test.cpp
// has owners of their own on one mapping. What browse() copies may be overwritten meanwhile, and it looks
// afterwards whether it was: a race by design (browse_test.cpp).
#include <algorithm>
#include <list>
#include <random>
#include <thread>

#include "objects/queue_object.hpp"
#include "shmq/core/attachment.hpp"
#include "support.hpp"

namespace shmq::test {
namespace {

using ThreadStress = SegmentTest;

#if defined(__SANITIZE_THREAD__)
constexpr int kScale = 1;
#else
constexpr int kScale = 4;
#endif

std::uint64_t number_in(std::span<const std::byte> data) {
  std::uint64_t number = 0;
  std::memcpy(&number, data.data(), std::min(data.size(), sizeof number));
  return number;
}
std::span<const std::byte> bytes_of_number(const std::uint64_t& number) {
  return std::as_bytes(std::span(&number, 1));
}

/// Counts each number that was released; a number may be seen more often than that.
struct Ledger {
  explicit Ledger(std::uint64_t count) : seen(count) {}
  void released(std::uint64_t number) {
    ASSERT_LT(number, seen.size());
    seen[number].fetch_add(1);
    done.fetch_add(1);
  }
  void expect_each_once() const {
    for (std::size_t i = 0; i < seen.size(); ++i) EXPECT_EQ(seen[i].load(), 1u) << i;
  }
  std::vector<std::atomic<std::uint32_t>> seen;
  std::atomic<std::uint64_t> done{0};
};

struct Shape {
  std::uint64_t capacity;
  bool batches;
  bool blocks;
  Wait wait;
  bool shared;
};

/// The segment for a thread: the same attachment, or one of its own.
Segment for_thread(const Segment& segment, bool shared) {
  return shared ? segment : Segment::open(segment.name()).value();
}

class Mpmc : public SegmentTest, public ::testing::WithParamInterface<Shape> {};
class Churn : public SegmentTest, public ::testing::WithParamInterface<bool> {};
INSTANTIATE_TEST_SUITE_P(Attachment, Churn, ::testing::Bool());

TEST_P(Mpmc, DeliversEverythingOnceAmongThreads) {
  const Shape shape = GetParam();
  auto segment = make({.size_bytes = 4u << 20, .blocks = {{{256, 8}}}, .participants_max = 8});
  auto q = queue(segment, "q", {.capacity = shape.capacity});
  constexpr std::uint64_t kProducers = 2, kConsumers = 2;
  const std::uint64_t each = 3000u * kScale;
  Ledger ledger(kProducers * each);
  std::list<std::jthread> threads;
  for (std::uint64_t t = 0; t < kProducers; ++t)
    threads.emplace_back([&, t] {
      auto mine = for_thread(segment, shape.shared);
      auto producer = mine.open_queue("q").value().producer({shape.wait});
      std::uint64_t next = t * each;
      const std::uint64_t end = next + each;
      while (next < end) {
        if (shape.batches && next % 3 == 0) {
          auto batch = producer.claim_batch(std::min<std::uint64_t>(5, end - next), 8);
          ASSERT_TRUE(batch) << batch.outcome();
          for (std::size_t i = 0; i < batch.size(); ++i, ++next) std::memcpy(batch[i].data(), &next, 8);
          batch.publish();
          continue;
        }
        if (next % 7 == 0) (void)producer.claim(8);  // given up
        auto claim = producer.claim(shape.blocks && next % 2 == 0 ? 200 : 8);
        ASSERT_TRUE(claim) << claim.outcome();
        std::memcpy(claim.data().data(), &next, 8);
        ++next;
        claim.publish();
      }
    });
  for (std::uint64_t t = 0; t < kConsumers; ++t)
    threads.emplace_back([&, t] {
      auto mine = for_thread(segment, shape.shared);
      auto consumer = mine.open_queue("q").value().consumer({shape.wait});
      std::mt19937 dice(static_cast<unsigned>(t));
      for (;;) {
        if (shape.batches && dice() % 2 == 0) {
          auto batch = consumer.receive_batch(8);
          if (batch.outcome() == Outcome::closed) return;
          std::vector<std::uint64_t> numbers;
          batch.for_each([&](const Message& m) { numbers.push_back(number_in(m.data())); });
          if (dice() % 16 == 0) continue;  // all of it comes again
          batch.release();
          for (const std::uint64_t number : numbers) ledger.released(number);
        } else {
          Message message = consumer.receive();
          if (message.outcome() == Outcome::closed) return;
          const std::uint64_t number = number_in(message.data());
          if (dice() % 16 == 0) continue;
          message.release();
          ledger.released(number);
        }
        if (ledger.done == ledger.seen.size()) q.close();
      }
    });
  std::jthread reaper([&](const std::stop_token& stop) {
    auto mine = for_thread(segment, shape.shared);
    while (!stop.stop_requested()) (void)mine.reap();
  });
  threads.clear();
  reaper = {};
  ledger.expect_each_once();
}

INSTANTIATE_TEST_SUITE_P(All, Mpmc,
                         ::testing::Values(Shape{2, false, false, Wait::spin_futex, true},
                                           Shape{4, true, false, Wait::spin_futex, true},
                                           Shape{4, true, true, Wait::spin_futex, true},
                                           Shape{64, true, true, Wait::spin_yield, true},
                                           Shape{4, true, true, Wait::futex, true},
                                           Shape{2, false, false, Wait::spin_futex, false},
                                           Shape{4, true, true, Wait::spin_futex, false},
                                           Shape{64, true, true, Wait::spin_yield, false}));

TEST_P(Churn, SleepersOnBothSidesAreWoken) {
  auto segment = make();
  auto there = queue(segment, "there", {.capacity = 2}), back = queue(segment, "back", {.capacity = 2});
  std::jthread echo([&] {
    auto mine = for_thread(segment, GetParam());
    auto consumer = mine.open_queue("there").value().consumer();
    auto producer = mine.open_queue("back").value().producer();
    for (;;) {
      Message message = consumer.receive();
      if (!message) return;
      if (number_in(message.data()) % 8 == 0)
        std::this_thread::sleep_for(100us);  // the other side falls asleep
      ASSERT_EQ(message.forward(producer), Outcome::ok);
    }
  });
  auto producer = there.producer();
  auto consumer = back.consumer();
  for (std::uint64_t i = 0; i < 2000u * kScale; ++i) {
    if (i % 8 == 4) std::this_thread::sleep_for(100us);
    ASSERT_EQ(producer.send(bytes_of_number(i)), Outcome::ok);
    Message message = consumer.receive();
    ASSERT_EQ(number_in(message.data()), i);
    message.release();
  }
  there.close();
}

TEST_P(Churn, QueuesComeAndGoUnderTheirUsers) {
  auto segment =
      make({.size_bytes = 2u << 20, .blocks = {{{256, 16}}}, .participants_max = 8, .objects_max = 4});
  std::atomic<std::uint64_t> received{0}, rounds{0};
  const auto declare = [](Segment& mine) { return mine.queue("q", {.capacity = 8}); };
  std::list<std::jthread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&](const std::stop_token& stop) {
      auto mine = for_thread(segment, GetParam());
      for (std::uint64_t i = 0; !stop.stop_requested(); ++i) {
        auto q = declare(mine);
        if (!q) continue;  // busy: two creators at once
        auto producer = q->producer();
        const std::string large(200, 'x');
        while (!stop.stop_requested() &&
               producer.send(i % 2 ? bytes_of("small") : bytes_of(large), 1ms) != Outcome::removed) {
        }
      }
    });
    threads.emplace_back([&](const std::stop_token& stop) {
      auto mine = for_thread(segment, GetParam());
      while (!stop.stop_requested()) {
        auto q = mine.open_queue("q");
        if (!q) continue;
        auto consumer = q->consumer();
        for (;;) {
          Message message = consumer.receive(1ms);
          if (message.outcome() == Outcome::removed || stop.stop_requested()) break;
          if (!message) continue;
          ++received;
          if (received % 5 != 0) message.release();
        }
      }
    });
  }
  for (int round = 0; round < 60 * kScale;) {
    std::this_thread::sleep_for(2ms);
    if (segment.remove_queue("q")) ++round;
    (void)segment.reap();
  }
  threads.clear();
  EXPECT_GT(received, 0u);
  (void)segment.remove_queue("q");
  auto q = declare(segment);
  ASSERT_TRUE(q) << q.error();
  EXPECT_EQ(q->depth(), 0u);
  for (int i = 0; i < 8; ++i)
    EXPECT_EQ(q->producer().try_send(bytes_of(std::string(200, 'x'))), Outcome::ok) << "all blocks are back";
}

TEST_F(ThreadStress, ReapersMendTheDeadWhileOthersWork) {
  auto segment = make({.size_bytes = 2u << 20, .blocks = {{{256, 8}}}, .participants_max = 12});
  auto q = queue(segment, "q", {.capacity = 4});
  const std::uint64_t count = 2000u * kScale;
  Ledger ledger(count);
  std::list<std::jthread> threads;
  threads.emplace_back([&] {
    auto mine = Segment::open(name_).value();
    auto producer = mine.open_queue("q").value().producer();
    for (std::uint64_t i = 0; i < count; ++i) ASSERT_EQ(producer.send(bytes_of_number(i)), Outcome::ok);
  });
  threads.emplace_back([&] {
    auto mine = Segment::open(name_).value();
    auto consumer = mine.open_queue("q").value().consumer();
    for (;;) {
      Message message = consumer.receive();
      if (!message) return;
      const std::uint64_t number = number_in(message.data());
      message.release();
      ledger.released(number);
      if (ledger.done == count) q.close();
    }
  });
  for (int t = 0; t < 2; ++t)
    threads.emplace_back([&](const std::stop_token& stop) {
      auto mine = Segment::open(name_).value();
      while (!stop.stop_requested()) (void)mine.reap();
    });
  // Dies again and again with a message, a claim and a block; touches no payload, since nothing that
  // ThreadSanitizer can see orders the death of a process before its repair.
  int deaths = 0;
  while (ledger.done < count) {
    auto opened = core::Attachment::open(name_, {});
    if (!opened) continue;
    auto attachment = *opened;
    auto handle = objects::open_queue(attachment, "q", 0);
    ASSERT_TRUE(handle);
    core::ShmRing ring = (*handle)->ring;
    if (deaths % 3 != 1) (void)ring.try_take(attachment->me());
    if (deaths % 3 != 0) (void)ring.try_claim(attachment->me());
    attachment->fork_child();  // as if it were in another process by now: its lock is gone, and it touches
                               // nothing more
    ++deaths;
    std::this_thread::sleep_for(1ms);
  }
  for (auto& thread : threads) thread.request_stop();
  threads.clear();
  EXPECT_GT(deaths, 0);
  ledger.expect_each_once();
}

}  // namespace
}  // namespace shmq::test
