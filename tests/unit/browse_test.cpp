// Queue::browse(): every message that a queue keeps, with its state, and never a torn byte.
#include <atomic>
#include <thread>

#include "support.hpp"

namespace shmq::test {
namespace {

using State = BrowsedMessage::State;

class BrowseTest : public SegmentTest {
 protected:
  static std::vector<BrowsedMessage> all(const Queue<void>& q, std::size_t max = SIZE_MAX) {
    std::vector<BrowsedMessage> seen;
    Browser browser = q.browse(max);
    while (auto message = browser.next()) seen.push_back(std::move(*message));
    EXPECT_FALSE(browser.next()) << "it stays at the end";
    return seen;
  }
  static std::string summary(const Queue<void>& q) {
    std::string text;
    for (const BrowsedMessage& m : all(q))
      text += text_of(m.payload).substr(0, 5) + ":" + to_string(m.state) + ":" + std::to_string(m.deliveries) + " ";
    return text;
  }
};

TEST_F(BrowseTest, ShowsWhatIsReadyHeldAndToBeRedelivered) {
  auto segment = make();
  auto q = queue(segment, "q", {.capacity = 8});
  EXPECT_EQ(summary(q), "");
  auto producer = q.producer();
  auto consumer = q.consumer();
  const std::string large(3000, 'L');
  for (const char* text : {"gone", "held", "back"}) ASSERT_EQ(producer.try_send(bytes_of(text), 9), Outcome::ok);
  ASSERT_EQ(producer.try_send(bytes_of(large)), Outcome::ok);
  { auto aborted = producer.claim(1); }
  auto open = producer.claim(3);
  ASSERT_EQ(producer.try_send(bytes_of("last")), Outcome::ok);
  consumer.receive().release();
  Message held = consumer.receive();
  consumer.receive().requeue();
  EXPECT_EQ(summary(q), "held:held:0 back:redeliver:1 LLLLL:ready:0 last:ready:0 ");
  Message again = consumer.receive();
  EXPECT_EQ(summary(q), "held:held:0 back:held:1 LLLLL:ready:0 last:ready:0 ");
  const auto seen = all(q);
  EXPECT_EQ(seen[0].id, held.id());
  EXPECT_EQ(seen[0].type, 9u);
  EXPECT_NE(seen[0].holder, 0u);
  EXPECT_EQ(seen[0].holder_pid, static_cast<std::uint32_t>(::getpid()));
  EXPECT_FALSE(seen[0].holder_name.empty());
  EXPECT_FALSE(seen[0].redelivered);
  EXPECT_TRUE(seen[1].redelivered);
  EXPECT_EQ(seen[1].holder, seen[0].holder);
  EXPECT_EQ(text_of(seen[2].payload), large);
  EXPECT_EQ(seen[2].holder, 0u);
  EXPECT_EQ(seen[2].holder_name, "");
  EXPECT_EQ(all(q, 2).size(), 2u);
  EXPECT_EQ(all(q, 0).size(), 0u);
  EXPECT_EQ(q.depth(), 4u) << "nothing was taken";
  held.release();
  again.release();
  open.abort();
  for (const std::string& text : {large, std::string("last")}) expect_next(consumer, text);
  EXPECT_EQ(summary(q), "");
}

TEST_F(BrowseTest, NamesEachHolder) {
  auto segment = make();
  auto other = Segment::open(name_, {.name = "somebody else"}).value();
  auto q = queue(segment, "q", {.capacity = 16});
  auto producer = q.producer();
  for (int i = 0; i < 9; ++i) ASSERT_EQ(producer.try_send(bytes_of("m" + std::to_string(i))), Outcome::ok);
  auto mine = q.consumer();
  auto theirs = other.open_queue("q")->consumer();
  const Message a = mine.receive();
  const auto b = theirs.receive_batch(3);
  const Message c = mine.receive(), d = mine.receive();
  const Message e = theirs.receive();
  std::string names;
  for (const BrowsedMessage& m : all(q)) names += m.holder_name == "somebody else" ? 't' : m.state == State::held ? 'm' : '-';
  EXPECT_EQ(names, "mtttmmt--");
}

TEST_F(BrowseTest, GoesThroughALapThatWrapped) {
  auto segment = make();
  auto q = queue(segment, "q", {.capacity = 4});
  auto producer = q.producer();
  auto consumer = q.consumer();
  for (int i = 0; i < 50; ++i) {
    for (const char* text : {"x", "y", "z"}) ASSERT_EQ(producer.try_send(bytes_of(text)), Outcome::ok);
    EXPECT_EQ(summary(q), "x:ready:0 y:ready:0 z:ready:0 ") << i;
    Message x = consumer.receive();
    EXPECT_EQ(summary(q), "x:held:0 y:ready:0 z:ready:0 ") << i;
    x.release();
    while (Message m = consumer.try_receive()) m.release();
  }
}

TEST_F(BrowseTest, KeepsIdsMarksAndMetadata) {
  auto segment = make();
  auto from = queue(segment, "from", {.capacity = 4});
  auto q = queue(segment, "q", {.capacity = 4, .slot_bytes = 128, .metadata = true});
  auto claim = q.producer().claim(8);
  claim.set_correlation(99);
  claim.publish();
  for (const std::size_t size : {std::size_t{10}, std::size_t{3000}}) {
    ASSERT_EQ(from.producer().try_send(bytes_of(std::string(size, 'f'))), Outcome::ok);
    auto taker = from.consumer();
    taker.receive().requeue();
    auto to = q.producer();
    ASSERT_EQ(taker.receive().forward(to), Outcome::ok);
  }
  const auto seen = all(q);
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_EQ(seen[0].correlation, 99u);
  EXPECT_EQ(seen[0].producer_pid, static_cast<std::uint32_t>(::getpid()));
  EXPECT_GT(seen[0].published_ns, 0);
  for (const std::uint64_t i : {1u, 2u}) {
    EXPECT_EQ(seen[i].id, (MessageId{from.generation(), i - 1}));
    EXPECT_TRUE(seen[i].redelivered);
    EXPECT_EQ(seen[i].deliveries, 0u) << "of this queue";
  }
}

TEST_F(BrowseTest, LeavesOutWhatIsReleasedMeanwhileAndOutlivesTheQueue) {
  auto segment = make();
  std::optional<Queue<void>> q = queue(segment, "q", {.capacity = 8});
  for (const char* text : {"a", "b", "c"}) ASSERT_EQ(q->producer().try_send(bytes_of(text)), Outcome::ok);
  Browser browser = q->browse();
  EXPECT_EQ(text_of(browser.next()->payload), "a");
  auto consumer = q->consumer();
  for (const char* text : {"a", "b"}) expect_next(consumer, text);
  ASSERT_EQ(q->producer().try_send(bytes_of("later")), Outcome::ok);
  q.reset();
  EXPECT_EQ(text_of(browser.next()->payload), "c");
  EXPECT_FALSE(browser.next()) << "it goes to what was the newest when it began";
}

// Whole payloads of one letter each, in slots and in blocks, sent, held, given back, forwarded and dropped as fast as it
// goes: a copy with two letters in it is torn.
TEST_F(BrowseTest, NeverShowsATornPayload) {
  auto segment = make({.size_bytes = 4u << 20, .blocks = {{{1024, 6}}}});
  auto q = queue(segment, "q", {.capacity = 8, .slot_bytes = 256, .on_full = OnFull::drop_oldest});
  std::atomic<bool> over = false;
  std::vector<std::thread> threads;
  for (int who = 0; who < 2; ++who)
    threads.emplace_back([&] {
      auto producer = q.producer();
      for (unsigned i = 0; !over; ++i) {
        auto claim = producer.try_claim(i % 3 == 0 ? 1000 : 200);
        if (!claim) continue;
        std::memset(claim.data().data(), 'a' + static_cast<int>(i % 26), claim.data().size());
        claim.set_type(static_cast<std::uint32_t>('a' + i % 26));
        claim.publish();
      }
    });
  threads.emplace_back([&] {
    auto consumer = q.consumer();
    auto back = q.producer();
    for (unsigned i = 0; !over; ++i) {
      Message message = consumer.try_receive();
      if (!message) continue;
      if (i % 5 == 0) message.requeue();
      if (i % 5 == 1) (void)message.forward(back, 0ms);
      message.release();
    }
  });
  std::uint64_t seen = 0, held = 0, redelivered = 0, rounds = 0;
  const auto until = std::chrono::steady_clock::now() + 400ms;
  bool whole = true;
  while (whole && (std::chrono::steady_clock::now() < until || rounds < 50)) {
    Browser browser = q.browse();
    while (const auto message = browser.next()) {
      ++seen;
      held += message->state == State::held;
      redelivered += message->redelivered;
      whole = whole && (message->payload.size() == 200 || message->payload.size() == 1000);
      for (const std::byte b : message->payload) whole = whole && static_cast<std::uint32_t>(b) == message->type;
    }
    ++rounds;
  }
  over = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(whole) << "torn, or of another size";
  EXPECT_GT(seen, 0u);
  std::cout << rounds << " rounds, " << seen << " messages, " << held << " held, " << redelivered << " marked\n";
}

}  // namespace
}  // namespace shmq::test
