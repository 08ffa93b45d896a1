// Things that once stood in the way for ever: each test bears the story of a defect that a review found.
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "shmq/layout/segment_header.hpp"
#include "support.hpp"

namespace faults {
namespace {

using shmq::ErrorCode;
using shmq::Outcome;

/// A child that does `hold` in the segment and is killed afterwards.
void die_after(const std::string& name, const std::function<void(shmq::Segment&)>& hold) {
  Shared<std::atomic<bool>> ready;
  Child child([&, name]() -> std::string {
    auto mine = opened(name);
    hold(mine);
    *ready = true;
    for (;;) ::pause();
  });
  ASSERT_TRUE(eventually([&] { return ready->load(); }));
  child.kill();
}

// A wait looked for the dead at the end of each 20 ms slice, and so one of 10 ms never did: a loop of them
// got nothing for ever.
TEST(ShortWaits, OfAConsumerGetPastADeadProducersClaim) {
  const Name name("short-receive");
  auto segment = shmq::Segment::create(name, {.size_bytes = 2u << 20}).value();
  auto queue = queue_of(segment, "q", {.capacity = 8});
  die_after(name, [](shmq::Segment& mine) {
    auto producer = new auto(mine.open_queue("q").value().producer());
    auto claim = new auto(producer->claim(8));
    EXPECT_TRUE(*claim);
  });
  ASSERT_EQ(queue.producer().send(bytes_of("next")), Outcome::ok);
  auto consumer = queue.consumer();
  EXPECT_TRUE(eventually([&] {
    auto message = consumer.receive(10ms);
    if (!message) return false;
    EXPECT_EQ(text_of(message), "next");
    message.release();
    return true;
  }));
}

TEST(ShortWaits, OfAProducerGetPastADeadConsumersMessage) {
  const Name name("short-send");
  auto segment = shmq::Segment::create(name, {.size_bytes = 2u << 20}).value();
  auto queue = queue_of(segment, "q", {.capacity = 2});
  auto producer = queue.producer();
  ASSERT_EQ(producer.send(bytes_of("held")), Outcome::ok);
  die_after(name, [](shmq::Segment& mine) {
    auto consumer = new auto(mine.open_queue("q").value().consumer());
    auto message = new auto(consumer->receive());
    EXPECT_TRUE(*message);
  });
  ASSERT_EQ(producer.send(bytes_of("second")), Outcome::ok);
  auto consumer = queue.consumer();
  bool again = false;
  EXPECT_TRUE(eventually([&] {
    if (producer.send(bytes_of("third"), 5ms) == Outcome::ok) return true;
    // Only what the dead held makes room; it comes back marked.
    if (auto message = consumer.try_receive(); message) {
      again |= message.redelivered();
      message.release();
    }
    return false;
  }));
  EXPECT_TRUE(again);
}

// A directory full of what the dead left was called full.
TEST(FullDirectory, IsSweptBeforeItIsCalledFull) {
  const Name name("full-directory");
  auto segment = shmq::Segment::create(name, {.size_bytes = 2u << 20, .objects_max = 1}).value();
  { auto queue = queue_of(segment, "q", {.capacity = 2}); }
  Shared<std::atomic<bool>> ready;
  Child user([&]() -> std::string {
    auto mine = opened(name);
    auto queue = mine.open_queue("q").value();
    *ready = true;
    for (;;) ::pause();
  });
  ASSERT_TRUE(eventually([&] { return ready->load(); }));
  ASSERT_TRUE(segment.remove_queue("q"));
  EXPECT_EQ(segment.queue("r").error().code(), ErrorCode::no_space) << "its user lives";
  user.kill();
  EXPECT_TRUE(segment.queue("r"));
}

// Opening a FIFO waits for a writer; any user could stop every create with one.
TEST(ForeignFiles, AFifoAmongTheTemporariesStopsNobody) {
  const Name name("fifo");
  const std::string fifo = "/dev/shm/.shmq.fifo-" + std::to_string(::getpid());
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0666), 0);
  EXPECT_EQ(in_child([&]() -> std::string {
              auto segment = shmq::Segment::create(name, {.size_bytes = 2u << 20});
              return segment ? "" : segment.error().message();
            }),
            "");
  ::unlink(fifo.c_str());
}

// A remover killed between its mark and the unlink left a name that could be neither opened nor created.
TEST(HalfRemovedSegment, GivesItsNameToWhoeverCreates) {
  const Name name("half-removed");
  { auto segment = shmq::Segment::create(name, {.size_bytes = 2u << 20}).value(); }
  {
    std::fstream file(name.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(offsetof(shmq::layout::SegmentHeader, state));
    file.put('\1');
  }
  EXPECT_TRUE(shmq::Segment::create(name, {.size_bytes = 2u << 20}));
  EXPECT_TRUE(shmq::Segment::open(name));
}

// A typed consumer gave a message of another size back, and got it again, for ever.
TEST(TypedConsumer, CanTakeAMessageOfAnotherSizeOutOfTheQueue) {
  const Name name("wrong-size");
  auto segment = shmq::Segment::create(name, {.size_bytes = 2u << 20}).value();
  auto queue = segment.queue<std::uint64_t>("q", {.capacity = 8}).value();
  ASSERT_EQ(queue.bytes().producer().send(bytes_of("odd")), Outcome::ok);
  ASSERT_EQ(queue.producer().send(7), Outcome::ok);
  auto consumer = queue.consumer();
  {
    auto odd = consumer.receive(1s);
    EXPECT_FALSE(odd);
    EXPECT_EQ(odd.outcome(), Outcome::corrupt);
    EXPECT_EQ(odd.bytes().size(), 3u);
    odd.release();
  }
  auto right = consumer.receive(1s);
  ASSERT_TRUE(right);
  EXPECT_EQ(*right, 7u);
  right.release();
}

// A purge released redelivered messages without a look at when they were sent.
TEST(Purge, TakesWhatWaitsForRedeliveryToo) {
  const Name name("purge-redelivered");
  auto segment = shmq::Segment::create(name, {.size_bytes = 2u << 20}).value();
  auto queue = queue_of(segment, "q", {.capacity = 8});
  auto producer = queue.producer();
  for (const char* text : {"a", "b", "c"}) ASSERT_EQ(producer.send(bytes_of(text)), Outcome::ok);
  auto consumer = queue.consumer();
  { auto dropped = consumer.receive(1s); }
  EXPECT_EQ(queue.purge().value(), 3u);
  EXPECT_EQ(consumer.try_receive().outcome(), Outcome::empty);
}

}  // namespace
}  // namespace faults
