// Single damages, each with what it once did.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <cstring>

#include "core/directory.hpp"
#include "image.hpp"
#include "shmq/core/attachment.hpp"
#include "shmq/inspect.hpp"
#include "shmq/layout/queue_header.hpp"
#include "shmq/layout/spsc_header.hpp"
#include "shmq/shmq.hpp"
#include "watch.hpp"

namespace hostile {
namespace {

namespace layout = shmq::layout;
using namespace std::chrono_literals;

/// A segment, and all of its bytes.
struct Scene {
  explicit Scene(const shmq::SegmentOptions& options)
      : name("hostile-damage-" + std::to_string(::getpid())), segment(make(name, options)), attachment(shmq::core::Attachment::open(name, {}).value()) {}
  ~Scene() { ::unlink(("/dev/shm/shmq." + name).c_str()); }
  static shmq::Segment make(const std::string& name, const shmq::SegmentOptions& options) {
    ::unlink(("/dev/shm/shmq." + name).c_str());
    return shmq::Segment::create(name, options).value();
  }
  const shmq::core::SegmentView& view() const { return attachment->view(); }
  layout::DirectoryEntry& entry(const std::string& queue) const {
    for (std::uint32_t i = 0; i < view().geometry().objects_max; ++i)
      if (view().entry(i).name.get() == queue) return view().entry(i);
    throw std::logic_error("no entry " + queue);
  }
  template <class Header>
  Header& header(const std::string& queue) const {
    return *view().at<Header>(entry(queue).offset.load());
  }

  std::string name;
  shmq::Segment segment;
  std::shared_ptr<shmq::core::Attachment> attachment;
};

TEST(Damage, OfTheTimeInARowGivesALongTimeAndNoOverflow) {
  const Scene scene({.size_bytes = 256u << 10, .blocks = {{}}, .participants_max = 3, .objects_max = 2});
  auto queue = shmq::Segment(scene.segment).queue("q", {.capacity = 4}).value();
  auto producer = queue.producer();
  const auto claim = producer.try_claim(8);
  for (std::uint32_t i = 0; i < 3; ++i) scene.view().row(i).attached_ns = INT64_MIN;
  const auto snapshot = shmq::inspect_segment(scene.name).value();
  const auto* seen = snapshot.queue("q");
  ASSERT_NE(seen, nullptr);
  ASSERT_EQ(seen->queue->holds.size(), 1u);
  EXPECT_GT(seen->queue->holds[0].at_most_ns.value_or(INT64_MAX), 0);
}

TEST(Damage, InWhichEachEntryNamesTheSameLargeObjectCostsNoMoreThanAFewOfThem) {
  const Scene scene({.size_bytes = 4u << 20, .blocks = {{}}, .participants_max = 3, .objects_max = 1000});
  (void)shmq::Segment(scene.segment).queue("q", {.capacity = 32768}).value();
  const std::uint32_t count = scene.view().geometry().objects_max;
  for (std::uint32_t i = 1; i < count; ++i)
    std::memcpy(static_cast<void*>(&scene.view().entry(i)), &scene.view().entry(0), sizeof(layout::DirectoryEntry));
  std::uint32_t visits = 0;
  shmq::core::Directory(*scene.attachment).for_each([&](const shmq::core::ObjectSpace&, layout::ObjectKind) { ++visits; });
  EXPECT_GE(visits, 1u);
  EXPECT_LE(visits, 40u);
}

TEST(Damage, OfAnEntryThatNobodyIsCreatingIsNotWaitedFor) {
  const Scene scene({.size_bytes = 256u << 10, .blocks = {{}}, .participants_max = 3, .objects_max = 4});
  (void)shmq::Segment(scene.segment).queue("q", {.capacity = 4}).value();
  auto& word = scene.entry("q").word;
  for (const std::uint32_t nobody : {0u, 5u, 4095u}) {
    word.store(layout::owner_word(layout::word_epoch(word), 1, nobody, static_cast<std::uint8_t>(layout::EntryState::creating)));
    const auto began = std::chrono::steady_clock::now();
    const auto queue = shmq::Segment(scene.segment).queue("q", {.capacity = 4});
    ASSERT_FALSE(queue);
    EXPECT_EQ(queue.error().code(), shmq::ErrorCode::corrupt) << queue.error();
    EXPECT_LT(std::chrono::steady_clock::now() - began, 4s);  // it waited five
  }
}

/// A queue "b" whose bytes lie among the slots of "a": what is forwarded from one to the other lies over itself.
TEST(Damage, ThatLaysOneQueueOverAnotherLetsAForwardCopyOverItself) {
  EXPECT_EQ(watch([](Progress&) -> std::string {
              const Scene scene({.size_bytes = 256u << 10, .blocks = {{}}, .participants_max = 2, .objects_max = 2});
              auto segment = scene.segment;
              auto a = segment.queue("a", {.capacity = 64, .slot_bytes = 128}).value();
              auto b = segment.queue("b", {.capacity = 2, .slot_bytes = 128, .metadata = true}).value();
              auto& under = scene.header<layout::QueueHeader>("a");
              const std::uint64_t slots = scene.entry("a").offset.load() + under.slots_offset;
              auto consumer = a.consumer();
              (void)consumer.try_receive();  // has looked for redeliveries: the header below looks like one
              const auto& header = scene.header<layout::QueueHeader>("b");
              const std::uint64_t whole = (header.slots_offset + 4095) / 4096 * 4096;
              // "b" begins where its slots are slots of "a", on a page of the object area.
              const std::uint64_t offset = (slots + 4095) / 4096 * 4096;
              std::memcpy(scene.view().at<std::byte>(offset), &header, whole < 4096 ? whole : 4096);
              scene.entry("b").offset.store(offset);
              auto other = segment.open_queue("b").value();
              auto to_b = other.producer();
              const std::uint64_t at = (offset + header.slots_offset - slots) / 128;  // its first slot, as one of a's
              auto producer = a.producer();
              const std::string payload(60, 'p');
              under.tail.store(layout::ring_word(at, 0));
              under.head.store(layout::ring_word(at, 0));
              auto* slot = scene.view().at<layout::SlotHeader>(slots + at * 128);
              slot->descriptor.store(layout::descriptor(60, 0));
              slot->word.store(layout::slot_word(0, layout::SlotState::ready));
              auto message = consumer.try_receive();
              if (message.size() != 60) return std::string("no message: ") + shmq::to_string(message.outcome()) + " " + std::to_string(message.size()) + " at " + std::to_string(at);
              slot->word.store(layout::slot_word(0, layout::SlotState::free));
              return message.forward(to_b, 0ms) == shmq::Outcome::ok ? "" : "not forwarded";
            }),
            "");
}

// ---- spsc

struct RingScene : Scene {
  explicit RingScene(bool metadata)
      : Scene({.size_bytes = size_of(metadata), .blocks = {{}}, .participants_max = 2, .objects_max = 1}),
        queue(segment.queue("q", {.kind = shmq::QueueKind::spsc, .ring_bytes = 1024, .metadata = metadata}).value()) {}
  /// As small as it can be: the ring then ends where the segment ends, or little before.
  static std::uint64_t size_of(bool) { return 16u << 10; }
  layout::SpscHeader& ring() const { return header<layout::SpscHeader>("q"); }
  layout::RecordHeader& record(std::uint64_t position) const {
    return *view().at<layout::RecordHeader>(entry("q").offset.load() + ring().ring_offset + position % 1024);
  }
  shmq::Queue<void> queue;
};

TEST(Damage, OfASpscTailThatIsNotAlignedIsSeenByEveryClaim) {
  for (const std::uint64_t tail : {std::uint64_t{1024 - 8}, (std::uint64_t{1} << 63) + 8, ~std::uint64_t{0}}) {
    const RingScene scene(false);
    scene.ring().tail.store(tail);
    auto producer = scene.queue.producer();
    for (int i = 0; i < 3; ++i) EXPECT_EQ(producer.try_claim(20).outcome(), shmq::Outcome::corrupt) << i;
    EXPECT_EQ(producer.try_claim_batch(4, 20).outcome(), shmq::Outcome::corrupt);
  }
}

TEST(Damage, OfWhatASpscConsumerReleasedThatIsNotAlignedIsSeenByEveryReceive) {
  for (const std::uint64_t released : {std::uint64_t{1024 - 4}, (std::uint64_t{1} << 63) + 1}) {
    const RingScene scene(false);
    scene.ring().released.store(released);
    auto consumer = scene.queue.consumer();
    for (int i = 0; i < 3; ++i) EXPECT_EQ(consumer.try_receive().outcome(), shmq::Outcome::corrupt) << i;
    EXPECT_EQ(consumer.try_receive_batch(4).outcome(), shmq::Outcome::corrupt);
  }
}

/// The smallest record there can be, at the very end of the ring, that says that it has what lies behind it.
TEST(Damage, OfTheLastRecordOfASpscRingReadsNothingBeyondIt) {
  for (const bool metadata : {false, true}) {
    const RingScene scene(metadata);
    auto& ring = scene.ring();
    for (auto* word : {&ring.tail, &ring.received, &ring.released, &ring.head, &ring.settled}) word->store(1024 - 16);
    auto& last = scene.record(1024 - 16);
    last.extent.store(std::uint64_t{16} << 32);
    last.word.store(layout::record_word(100, 7, layout::kRecordPublished | layout::kRecordOrigin));
    // What follows the ring in memory is not what a message says.
    std::memset(static_cast<void*>(reinterpret_cast<std::byte*>(&last) + 16), 0x77, 64);
    auto consumer = scene.queue.consumer();
    auto message = consumer.try_receive();
    ASSERT_TRUE(message);
    EXPECT_EQ(message.size(), 0u);
    EXPECT_EQ(message.id(), shmq::MessageId{});
    EXPECT_EQ(message.correlation(), 0u);
    EXPECT_EQ(message.published_ns(), 0);
    EXPECT_EQ(message.producer_pid(), 0u);
    message.release();
  }
}

TEST(Damage, OfASpscRingInWhichEveryRecordIsPublishedLetsAPurgeEnd) {
  EXPECT_EQ(watch([](Progress&) -> std::string {
              const RingScene scene(false);
              for (std::uint64_t position = 0; position < 1024; position += 32) {
                scene.record(position).extent.store(std::uint64_t{32} << 32);
                scene.record(position).word.store(layout::record_word(4, 0, layout::kRecordPublished));
              }
              scene.ring().tail.store(std::uint64_t{1} << 62);
              auto queue = scene.queue;
              const auto purged = queue.purge();
              return purged && *purged < 100 ? "" : "not purged";
            }),
            "");
}

/// No producer leaves a ring of nothing but tombs: who looks for a message among them goes round once at most.
TEST(Damage, OfASpscRingInWhichEveryRecordIsATombLetsAReceiveEnd) {
  for (const bool far : {false, true}) {
    for (const bool batch : {false, true}) {
      ASSERT_EQ(watch([far, batch](Progress&) -> std::string {
                  const RingScene scene(false);
                  for (std::uint64_t position = 0; position < 1024; position += 32) {
                    scene.record(position).extent.store(std::uint64_t{32} << 32);
                    scene.record(position).word.store(
                        layout::record_word(0, 0, layout::kRecordPublished | layout::kRecordTomb));
                  }
                  if (far) scene.ring().tail.store(std::uint64_t{1} << 62);
                  auto queue = scene.queue;
                  auto consumer = queue.consumer();
                  const auto outcome =
                      batch ? consumer.try_receive_batch(4).outcome() : consumer.try_receive().outcome();
                  return outcome == shmq::Outcome::corrupt ? "" : shmq::to_string(outcome);
                }),
                "")
          << (far ? "with a tail far away" : "with the tail where it was") << (batch ? ", a batch" : "");
    }
  }
}

}  // namespace
}  // namespace hostile
