// Hostile bytes: each word of a segment's tables and of its queues gets values that it should never have, and
// processes that have it open, and processes that open it then, go on with public calls. An error, a refusal
// or wrong messages are fine; a crash, a hang or what a sanitizer reports is not.
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <random>

#include "core/directory.hpp"
#include "shmq/core/attachment.hpp"
#include "support.hpp"

namespace faults {
namespace {

/// A small segment in which every kind of thing is there and in use.
struct Scene {
  explicit Scene(const std::string& name)
      : segment(shmq::Segment::create(name, {.size_bytes = 256u << 10,
                                             .blocks = {{{1024, 4}, {4096, 4}}},
                                             .participants_max = 3,
                                             .objects_max = 4})
                    .value()),
        first(queue_of(segment, "first", {.capacity = 4})),
        second(queue_of(segment, "second", {.capacity = 4, .slot_bytes = 128, .metadata = true})),
        producer(first.producer()),
        consumer(first.consumer()),
        other_producer(second.producer()),
        other_consumer(second.consumer()) {
    for (const auto size : {10, 900, 20})
      (void)producer.try_send(bytes_of(std::string(static_cast<std::size_t>(size), 'x')));
    (void)other_producer.try_send(bytes_of(std::string(4000, 'y')));
    (void)consumer.try_receive();  // given back: it waits for redelivery
    held = other_consumer.try_receive();
    claimed = other_producer.try_claim(700);
  }
  shmq::Segment segment;
  shmq::Queue<void> first, second;
  shmq::Producer<void> producer;
  shmq::Consumer<void> consumer;
  shmq::Producer<void> other_producer;
  shmq::Consumer<void> other_consumer;
  shmq::Message held;
  shmq::Claim<void> claimed;
};

std::size_t sum(std::span<const std::byte> bytes) {
  std::size_t total = 0;
  for (const std::byte b : bytes) total += static_cast<std::size_t>(b);
  return total;
}

std::size_t look_at(const shmq::Message& m) {
  if (!m) return 0;
  return sum(m.data()) + m.type() + m.id().position + m.deliveries() + m.producer_pid() + m.correlation() +
         static_cast<std::size_t>(m.published_ns()) + m.redelivered();
}

/// Every public call, in an order that depends on `dice`. Nothing is expected of them.
std::size_t use(Scene& scene, const std::string& name, std::mt19937& dice) {
  std::size_t seen = look_at(scene.held);
  const std::string large(900, 'z');
  for (int i = 0; i < 30; ++i) {
    switch (dice() % 18) {
      case 0:
        seen += scene.producer.try_send(bytes_of("small")) == shmq::Outcome::ok;
        break;
      case 1:
        seen += scene.producer.send(bytes_of(large), 0ms) == shmq::Outcome::ok;
        break;
      case 2:
        seen += scene.other_producer.try_send(bytes_of(large)) == shmq::Outcome::ok;
        break;
      case 3: {
        auto message = scene.consumer.try_receive();
        seen += look_at(message);
        message.release();
        break;
      }
      case 4: {
        auto message = scene.other_consumer.receive(0ms);
        seen += look_at(message);
        message.release();
        break;
      }
      case 5:
        seen += look_at(scene.consumer.try_receive());
        break;
      case 6: {
        auto batch = scene.consumer.try_receive_batch(8);
        batch.for_each([&](const shmq::Message& m) { seen += look_at(m); });
        seen += look_at(batch.pop_front());
        batch.release();
        break;
      }
      case 7: {
        auto message = scene.consumer.try_receive();
        seen += message.forward(scene.other_producer, 0ms) == shmq::Outcome::ok;
        break;
      }
      case 8: {
        auto message = scene.other_consumer.try_receive();
        seen += message.forward(scene.producer, 0ms) == shmq::Outcome::ok;
        break;
      }
      case 9: {
        auto batch = scene.producer.try_claim_batch(3, 8);
        if (batch) batch.publish(2);
        break;
      }
      case 10:
        (void)scene.producer.try_claim(900);
        break;
      case 11:
        for (const auto& peeked : scene.first.peek(10)) seen += sum(peeked.payload);
        for (const auto& peeked : scene.second.peek(10)) seen += sum(peeked.payload);
        break;
      case 12:
        seen += scene.first.depth() + scene.second.depth() + scene.first.closed();
        break;
      case 13:
        seen += scene.segment.reap().total();
        break;
      case 14:
        seen += scene.segment.queues().size();
        break;
      case 15:
        if (auto segment = shmq::Segment::open(name)) {
          if (auto queue = segment->open_queue("first")) seen += look_at(queue->consumer().try_receive());
          if (auto queue = segment->open_queue("second"))
            seen += queue->producer().try_send(bytes_of("o")) == shmq::Outcome::ok;
        }
        break;
      case 16:
        seen += scene.first.purge();
        break;
      case 17: {
        auto message = scene.consumer.receive(1ms);
        seen += look_at(message);
        break;
      }
    }
  }
  scene.held.release();
  scene.claimed = {};
  if (dice() % 2) scene.second.close();
  seen += look_at(scene.other_consumer.try_receive());
  if (auto queue = scene.segment.queue("third", {.capacity = 2}))
    seen += queue->producer().try_send(bytes_of("t")) == shmq::Outcome::ok;
  if (dice() % 2) seen += static_cast<bool>(scene.segment.remove_queue("second"));
  return seen;
}

/// The words that are no payload: [first, end) in bytes.
std::vector<std::pair<std::uint64_t, std::uint64_t>> tables_of(const std::string& name) {
  auto attachment = shmq::core::Attachment::open(name, {}).value();
  const auto& g = attachment->view().geometry();
  std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges;
  ranges.push_back({0, 1024 + 256});  // the rest of the first page is reserved
  ranges.push_back({g.participants_offset, g.block_words_offset + g.block_count * 8});
  shmq::core::Directory(*attachment)
      .for_each([&](const shmq::core::ObjectSpace& space, shmq::layout::ObjectKind) {
        ranges.push_back({space.offset, space.offset + space.size_bytes});
      });
  return ranges;
}

bool is_long() {
  const char* const asked = std::getenv("SHMQ_LONG");
  return asked != nullptr && std::string(asked) == "1";
}

struct Progress {
  std::atomic<std::uint64_t> steps{0}, word{0}, value{0}, checked{0};
};

/// Runs `story` in a child and watches that it gets on.
void watch(Shared<Progress>& progress, const Story& story) {
  Child child(story);
  std::string said = "hangs";
  std::uint64_t before = ~std::uint64_t{0};
  // Each step takes a fraction of a second; one may wait some seconds for a creator that seems to be alive.
  while (said == "hangs" && progress->steps.load() != before) {
    before = progress->steps.load();
    siginfo_t info{};
    for (int i = 0; i < 6000 && info.si_pid == 0; ++i) {
      ::usleep(10'000);
      (void)::waitid(P_PID, static_cast<id_t>(child.pid()), &info, WEXITED | WNOHANG | WNOWAIT);
    }
    if (info.si_pid != 0) said = child.result();
  }
  EXPECT_EQ(said, "") << "with " << std::hex << progress->value << " at byte " << std::dec << progress->word
                      << ", step " << progress->steps;
}

TEST(HostileBytes, InAnyWordOfTheTablesAreNeverMoreThanAnError) {
  const Name name("words");
  Shared<Progress> progress;
  watch(progress, [&]() -> std::string {
    std::mt19937 dice(4);
    std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges;
    {
      const Scene scene(name);
      ranges = tables_of(name);
    }
    (void)shmq::Segment::remove(name);
    const int times = is_long() ? 10 : 1;
    for (int time = 0; time < times; ++time)
      for (const auto& [first, end] : ranges)
        for (std::uint64_t at = first; at < end; at += 8) {
          for (std::uint32_t kind = 0; kind < 6; ++kind) {
            {
              Scene scene(name);
              auto attachment = shmq::core::Attachment::open(name, {}).value();
              auto& word = *attachment->view().at<shmq::layout::Word>(at);
              const std::uint64_t old = word.load();
              const std::uint64_t values[] = {0,
                                              ~std::uint64_t{0},
                                              old + 1,
                                              old ^ (std::uint64_t{1} << dice() % 64),
                                              (std::uint64_t{dice()} << 32) | dice(),
                                              old ^ (std::uint64_t{0xff} << dice() % 8 * 8)};
              progress->word = at;
              progress->value = values[kind];
              word.store(values[kind]);
              (void)use(scene, name, dice);
            }
            // By force where it is no segment any more.
            (void)shmq::Segment::remove(name);
            ::unlink(name.path().c_str());
            progress->steps.fetch_add(1);
          }
        }
    return {};
  });
  std::printf("%llu words\n", static_cast<unsigned long long>(progress->steps.load()));
  EXPECT_GT(progress->steps.load(), 5000u);
}

TEST(HostileBytes, WrittenAllTheTimeByAnotherProcessAreNeverMoreThanAnError) {
  const Name name("scribble");
  Shared<Progress> progress;
  const int rounds = is_long() ? 30'000 : 1000;
  watch(progress, [&]() -> std::string {
    std::mt19937 dice(5);
    for (int round = 0; round < rounds; ++round) {
      Scene scene(name);
      const auto ranges = tables_of(name);
      auto attachment = shmq::core::Attachment::open(name, {}).value();
      const shmq::core::SegmentView& view = attachment->view();
      Child scribbler([&]() -> std::string {
        std::mt19937 theirs(static_cast<unsigned>(round));
        for (;;) {
          const auto& [first, end] = ranges[theirs() % ranges.size()];
          const std::uint64_t at = first + theirs() % ((end - first) / 8) * 8;
          auto& word = *view.at<shmq::layout::Word>(at);
          switch (theirs() % 3) {
            case 0:
              word.store((std::uint64_t{theirs()} << 32) | theirs());
              break;
            case 1:
              word.fetch_xor(std::uint64_t{1} << theirs() % 64);
              break;
            default:
              word.fetch_add(1);
          }
          if (theirs() % 16 == 0) ::usleep(20);
        }
      });
      for (int i = 0; i < 5; ++i) (void)use(scene, name, dice);
      scribbler.kill();
      progress->steps.fetch_add(1);
      (void)shmq::Segment::remove(name);
      ::unlink(name.path().c_str());
    }
    return {};
  });
  EXPECT_EQ(progress->steps.load(), static_cast<std::uint64_t>(rounds));
}

}  // namespace
}  // namespace faults
