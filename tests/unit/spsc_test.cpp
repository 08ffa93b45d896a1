// The spsc kind through the public API, in one process: who owns an end, succession, records of every size, wrapping,
// closing, batches, loans released out of order.
#include <algorithm>
#include <array>
#include <deque>
#include <random>
#include <thread>

#include "objects/queue_object.hpp"
#include "support.hpp"

namespace shmq::test {
namespace {

class SpscTest : public SegmentTest {
 protected:
  Queue<void> spsc(Segment& segment, const std::string& name, std::uint64_t ring_bytes = 4096) {
    return queue(segment, name, {.kind = QueueKind::spsc, .ring_bytes = ring_bytes});
  }
};

/// `size` bytes that tell which message and which byte they are.
std::string pattern(std::uint64_t number, std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(number * 31 + i * 7);
  return text;
}

TEST_F(SpscTest, CarriesRecordsOfEverySizeUpToHalfTheRing) {
  auto segment = make();
  auto q = spsc(segment, "q");
  EXPECT_EQ(q.kind(), QueueKind::spsc);
  EXPECT_EQ(q.capacity(), 4096u);
  auto producer = q.producer();
  auto consumer = q.consumer();
  EXPECT_EQ(producer.max_payload(), 2048u - 16u);
  std::uint64_t number = 0;
  for (std::size_t size = 0; size <= producer.max_payload(); size += 13, ++number) {
    ASSERT_EQ(producer.try_send(bytes_of(pattern(number, size)), static_cast<std::uint32_t>(size)), Outcome::ok) << size;
    Message message = consumer.try_receive();
    ASSERT_TRUE(message) << size;
    EXPECT_EQ(text_of(message), pattern(number, size));
    EXPECT_EQ(message.type(), size);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(message.data().data()) % 16, 0u);
    EXPECT_FALSE(message.redelivered());
    message.release();
  }
  EXPECT_EQ(producer.try_send(bytes_of(std::string(producer.max_payload(), 'm'))), Outcome::ok);
  EXPECT_EQ(producer.claim(producer.max_payload() + 1).outcome(), Outcome::too_large);
  EXPECT_EQ(producer.claim_batch(2, producer.max_payload() + 1).outcome(), Outcome::too_large);
}

TEST_F(SpscTest, IsAQueueUnderRandomUse) {
  for (std::uint32_t seed = 1; seed <= 20; ++seed) {
    std::mt19937 random(seed);
    auto segment = make();
    auto q = spsc(segment, "q", 1024);
    auto producer = q.producer();
    auto consumer = q.consumer();
    std::deque<std::string> sent;  // published, not received
    std::uint64_t number = 0;
    struct Held {
      Message message;
      std::string text;
    };
    std::vector<Held> held;
    std::vector<std::pair<Claim<void>, std::string>> claims;  // only the last one may be open when another is made
    for (int step = 0; step < 4000; ++step) {
      switch (random() % 6) {
        case 0:
        case 1: {
          const std::string text = pattern(number++, random() % 200);
          Claim<void> claim = producer.try_claim(text.size());
          if (!claim) {
            ASSERT_EQ(claim.outcome(), Outcome::full);
            break;
          }
          std::memcpy(claim.data().data(), text.data(), text.size());
          if (random() % 8 == 0) break;  // aborted
          claim.publish();
          sent.push_back(text);
          break;
        }
        case 2: {
          auto batch = producer.try_claim_batch(1 + random() % 8, 24);
          if (!batch) break;
          const std::size_t publish = random() % (batch.size() + 1);
          for (std::size_t i = 0; i < publish; ++i) {
            const std::string text = pattern(number++, 24);
            std::memcpy(batch[i].data(), text.data(), text.size());
            sent.push_back(text);
          }
          batch.publish(publish);
          break;
        }
        case 3: {
          Message message = consumer.try_receive();
          if (!message) {
            ASSERT_EQ(message.outcome(), Outcome::empty);
            ASSERT_TRUE(sent.empty()) << "seed " << seed << " step " << step;
            break;
          }
          ASSERT_FALSE(sent.empty());
          ASSERT_EQ(text_of(message), sent.front()) << "seed " << seed << " step " << step;
          sent.pop_front();
          held.push_back({std::move(message), ""});
          held.back().text = text_of(held.back().message);
          break;
        }
        case 4: {
          if (held.empty()) break;
          const std::size_t i = random() % held.size();
          ASSERT_EQ(text_of(held[i].message), held[i].text) << "a held message does not change";
          held[i].message.release();
          held.erase(held.begin() + static_cast<std::ptrdiff_t>(i));
          break;
        }
        case 5: {
          auto batch = consumer.try_receive_batch(1 + random() % 8);
          if (!batch) break;
          batch.for_each([&](const Message& message) {
            ASSERT_FALSE(sent.empty());
            EXPECT_EQ(text_of(message), sent.front());
            sent.pop_front();
          });
          if (random() % 2 == 0) {
            while (Message message = batch.pop_front()) message.release();
          } else {
            batch.release();
          }
          break;
        }
      }
    }
    held.clear();
    ASSERT_TRUE(Segment::remove(name_));
  }
}

TEST_F(SpscTest, AMessageGivenBackComesAgainFirstAndMarked) {
  auto segment = make();
  auto q = spsc(segment, "q");
  auto producer = q.producer();
  auto consumer = q.consumer();
  for (const char* text : {"a", "b", "c"}) ASSERT_EQ(producer.send(bytes_of(text)), Outcome::ok);
  Message a = consumer.receive();
  Message b = consumer.receive();
  const MessageId id = b.id();
  b.requeue();
  Message again = consumer.try_receive();
  ASSERT_TRUE(again);
  EXPECT_EQ(text_of(again), "b");
  EXPECT_EQ(again.id(), id);
  EXPECT_TRUE(again.redelivered());
  EXPECT_EQ(again.deliveries(), 1u);
  again.requeue();
  again = consumer.try_receive();
  EXPECT_EQ(again.deliveries(), 2u);
  again.release();
  a.release();
  expect_next(consumer, "c");
  EXPECT_EQ(q.depth(), 0u);
}

TEST_F(SpscTest, AnEndHasOneOwner) {
  auto segment = make();
  auto q = spsc(segment, "q");
  auto first = q.open_producer();
  ASSERT_TRUE(first);
  auto second = q.open_producer();
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), ErrorCode::busy);
  EXPECT_NE(second.error().message().find("pid " + std::to_string(::getpid())), std::string::npos)
      << second.error().message();
  auto standby = q.producer();
  EXPECT_EQ(standby.send(bytes_of("x"), 1h), Outcome::busy);
  EXPECT_EQ(standby.try_claim_batch(3, 1).outcome(), Outcome::busy);
  auto consumer = q.open_consumer();
  ASSERT_TRUE(consumer);
  auto other = q.consumer();
  EXPECT_EQ(other.receive(1h).outcome(), Outcome::busy);
  EXPECT_EQ(other.try_receive_batch(4).outcome(), Outcome::busy);
  EXPECT_FALSE(q.open_consumer());
  EXPECT_EQ(q.purge().error().code(), ErrorCode::busy);
  {
    Producer<void> gone = std::move(*first);
    ASSERT_EQ(gone.send(bytes_of("one")), Outcome::ok);
  }
  EXPECT_EQ(standby.send(bytes_of("two")), Outcome::ok) << "it takes the place of the one that let go";
  {
    Consumer<void> gone = std::move(*consumer);
    Message held = gone.receive();
    EXPECT_EQ(text_of(held), "one");
    held.requeue();
  }
  expect_next(other, "one", true);
  expect_next(other, "two");
}

TEST_F(SpscTest, ASuccessorStepsOverWhatIsReleasedAndGetsTheRestMarked) {
  auto segment = make();
  auto q = spsc(segment, "q");
  auto producer = q.producer();
  for (const char* text : {"a", "b", "c", "d", "e"}) ASSERT_EQ(producer.send(bytes_of(text)), Outcome::ok);
  {
    auto consumer = q.consumer();
    Message a = consumer.receive();
    Message b = consumer.receive();
    Message c = consumer.receive();
    Message d = consumer.receive();
    b.release();
    d.release();  // a and c are dropped
  }
  EXPECT_EQ(q.depth(), 3u);
  auto successor = q.consumer();
  expect_next(successor, "a", true);
  expect_next(successor, "c", true);
  expect_next(successor, "e", false);
  EXPECT_EQ(successor.try_receive().outcome(), Outcome::empty);
}

TEST_F(SpscTest, WhatIsPublishedOutOfOrderWaitsForWhatWasClaimedBefore) {
  auto segment = make();
  auto q = spsc(segment, "q");
  auto producer = q.producer();
  auto consumer = q.consumer();
  auto first = producer.claim(1);
  ASSERT_EQ(producer.send(bytes_of("second")), Outcome::ok);
  EXPECT_EQ(consumer.try_receive().outcome(), Outcome::empty);
  EXPECT_EQ(q.depth(), 2u);
  first.abort();
  expect_next(consumer, "second");
  auto last = producer.claim(100);
  last.abort();
  ASSERT_EQ(producer.send(bytes_of("third")), Outcome::ok);
  expect_next(consumer, "third");
}

TEST_F(SpscTest, FullIsExact) {
  auto segment = make();
  auto q = spsc(segment, "q", 1024);
  auto producer = q.producer();
  auto consumer = q.consumer();
  int sent = 0;
  while (producer.try_send(bytes_of(pattern(0, 48))) == Outcome::ok) ++sent;
  EXPECT_EQ(sent, 15) << "1024 bytes less one header hold 15 records of 64";
  EXPECT_EQ(producer.send(bytes_of(pattern(0, 48)), 5ms), Outcome::timeout);
  for (int i = 0; i < 5; ++i) {
    consumer.receive().release();
    EXPECT_EQ(producer.try_send(bytes_of(pattern(0, 48))), Outcome::ok);
    EXPECT_EQ(producer.try_send(bytes_of(pattern(0, 48))), Outcome::full);
  }
  Message held = consumer.receive();
  EXPECT_EQ(producer.try_send(bytes_of(pattern(0, 48))), Outcome::full) << "a held message keeps its room";
  held.release();
  EXPECT_EQ(producer.try_send(bytes_of(pattern(0, 48))), Outcome::ok);
}

TEST_F(SpscTest, ClosesAndDrains) {
  auto segment = make();
  auto q = spsc(segment, "q");
  auto producer = q.producer();
  auto consumer = q.consumer();
  auto open = producer.claim(1);
  ASSERT_EQ(producer.send(bytes_of("b")), Outcome::ok);
  q.close();
  q.close();
  EXPECT_TRUE(q.closed());
  EXPECT_EQ(producer.claim(1).outcome(), Outcome::closed);
  EXPECT_EQ(producer.try_claim_batch(2, 1).outcome(), Outcome::closed);
  EXPECT_EQ(consumer.receive(1ms).outcome(), Outcome::timeout) << "a claim made before is still open";
  open.data()[0] = std::byte{'a'};
  open.publish();
  expect_next(consumer, "a");
  Message b = consumer.receive();
  EXPECT_EQ(consumer.try_receive().outcome(), Outcome::empty) << "b is not released";
  b.release();
  EXPECT_EQ(consumer.receive().outcome(), Outcome::closed);
}

TEST_F(SpscTest, AFullQueueThatIsClosedOrRemovedSaysSo) {
  auto segment = make();
  for (const bool removed : {false, true}) {
    auto q = spsc(segment, "q", 1024);
    auto producer = q.producer();
    while (producer.try_send(bytes_of(pattern(0, 48))) == Outcome::ok) continue;
    std::jthread waiting([&] {
      EXPECT_EQ(producer.send(bytes_of(pattern(0, 48)), kPatience), removed ? Outcome::removed : Outcome::closed);
    });
    std::this_thread::sleep_for(50ms);  // asleep, most likely; right in any case
    if (removed) {
      EXPECT_TRUE(segment.remove_queue("q"));
    } else {
      q.close();
    }
    waiting.join();
    EXPECT_EQ(producer.try_claim(48).outcome(), removed ? Outcome::removed : Outcome::closed);
    EXPECT_EQ(static_cast<bool>(segment.remove_queue("q")), !removed);
  }
}

TEST_F(SpscTest, WhatIsSteppedOverIsAnnouncedAsRoom) {
  auto segment = make();
  auto q = spsc(segment, "q", 1024);
  auto producer = q.producer();
  auto consumer = q.consumer();
  auto aborted = producer.claim(400);
  ASSERT_EQ(producer.send(bytes_of("x")), Outcome::ok);
  aborted.abort();
  const auto attachment = core::Attachment::open(name_, {}).value();
  core::EventWord& space = *objects::open_queue(attachment, "q", 0).value()->space_event;
  const auto sleeps = [&] { return (space.load() & core::kEventWaiting) != 0; };
  space.fetch_or(core::kEventWaiting);  // as a producer does that waits for the room of the aborted claim
  Message x = consumer.try_receive();
  EXPECT_EQ(text_of(x), "x");
  EXPECT_FALSE(sleeps()) << "x is not released, but what was before it is room already";
  x.release();
  producer.claim(400).abort();
  aborted = producer.claim(100);
  auto open = producer.claim(100);
  aborted.abort();
  space.fetch_or(core::kEventWaiting);
  EXPECT_EQ(consumer.try_receive().outcome(), Outcome::empty);
  EXPECT_FALSE(sleeps()) << "a look that found nothing stepped over something";
}

TEST_F(SpscTest, ClosingWakesWhoSleepsAtEitherEnd) {
  auto segment = make();
  auto q = spsc(segment, "q", 1024);
  const auto attachment = core::Attachment::open(name_, {}).value();
  const auto handle = objects::open_queue(attachment, "q", 0).value();
  for (core::EventWord* event : {handle->data_event, handle->space_event}) event->fetch_or(core::kEventWaiting);
  q.close();
  for (core::EventWord* event : {handle->data_event, handle->space_event})
    EXPECT_EQ(event->load() & core::kEventWaiting, 0u);
}

TEST_F(SpscTest, RemovedIsHeardByBothEnds) {
  auto segment = make();
  auto q = spsc(segment, "q");
  auto producer = q.producer();
  auto consumer = q.consumer();
  ASSERT_TRUE(segment.remove_queue("q"));
  EXPECT_EQ(producer.claim(1).outcome(), Outcome::removed);
  EXPECT_EQ(consumer.receive().outcome(), Outcome::removed);
}

TEST_F(SpscTest, RefusesWhatItCannotBe) {
  auto segment = make();
  const auto refused = [&](const QueueOptions& options) {
    const auto q = segment.queue("q", options);
    return q ? std::string() : q.error().message();
  };
  EXPECT_NE(refused({.kind = QueueKind::spsc, .slot_bytes = 64}).find("slot size"), std::string::npos);
  EXPECT_NE(refused({.kind = QueueKind::spsc, .ring_bytes = 512}).find("1024 to"), std::string::npos);
  EXPECT_NE(refused({.kind = QueueKind::spsc, .ring_bytes = 1ull << 40}).find("1024 to"), std::string::npos);
  EXPECT_NE(refused({.ring_bytes = 4096}).find("spsc kind only"), std::string::npos);
  struct Large {
    char bytes[4000];
  };
  const auto typed = segment.queue<Large>("q", {.kind = QueueKind::spsc, .ring_bytes = 4096});
  ASSERT_FALSE(typed);
  EXPECT_NE(typed.error().message().find("half the ring"), std::string::npos);
  ASSERT_TRUE(segment.queue("q", {.kind = QueueKind::spsc}));
  EXPECT_NE(refused({}).find("kind is spsc, not mpmc"), std::string::npos);
  EXPECT_NE(refused({.kind = QueueKind::spsc, .ring_bytes = 4096}).find("ring is 65536 B, not 4096 B"), std::string::npos);
}

TEST_F(SpscTest, ForwardsInBothDirections) {
  auto segment = make();
  auto a = spsc(segment, "a");
  auto m = queue(segment, "m");
  auto b = queue(segment, "b", {.kind = QueueKind::spsc, .metadata = true});
  auto producer = a.producer();
  auto consumer = a.consumer();
  const std::string large(1500, 'L');
  ASSERT_EQ(producer.send(bytes_of("small"), {}, 7), Outcome::ok);
  ASSERT_EQ(producer.send(bytes_of(large), {}, 8), Outcome::ok);
  auto to_m = m.producer();
  std::vector<MessageId> ids;
  for (int i = 0; i < 2; ++i) {
    Message message = consumer.receive();
    ids.push_back(message.id());
    ASSERT_EQ(message.forward(to_m), Outcome::ok);
  }
  auto from_m = m.consumer();
  auto to_b = b.producer();
  from_m.receive().requeue();  // so that one is marked
  for (int i = 0; i < 2; ++i) {
    Message message = from_m.receive();
    EXPECT_EQ(message.id(), ids[static_cast<std::size_t>(i)]);
    ASSERT_EQ(message.forward(to_b), Outcome::ok);
  }
  auto from_b = b.consumer();
  Message small = from_b.receive();
  Message big = from_b.receive();
  EXPECT_EQ(text_of(small), "small");
  EXPECT_EQ(text_of(big), large);
  EXPECT_EQ(small.id(), ids[0]);
  EXPECT_EQ(big.id(), ids[1]);
  EXPECT_TRUE(small.redelivered());
  EXPECT_FALSE(big.redelivered());
  EXPECT_EQ(small.type(), 7u);
  EXPECT_EQ(big.producer_pid(), static_cast<std::uint32_t>(::getpid()));
  EXPECT_GT(big.published_ns(), 0);
  small.release();
  big.release();
}

TEST_F(SpscTest, BrowsesAndPurges) {
  auto segment = make();
  auto q = spsc(segment, "q");
  auto producer = q.producer();
  for (const char* text : {"a", "b", "c"}) ASSERT_EQ(producer.send(bytes_of(text)), Outcome::ok);
  {
    auto consumer = q.consumer();
    Message a = consumer.receive();
    Browser browser = q.browse();
    auto seen = browser.next();
    ASSERT_TRUE(seen);
    EXPECT_EQ(text_of(seen->payload), "a");
    EXPECT_EQ(seen->id, a.id());
    EXPECT_EQ(seen->state, BrowsedMessage::State::held);
    EXPECT_EQ(seen->holder_pid, static_cast<std::uint32_t>(::getpid()));
    EXPECT_EQ(seen->deliveries, 0u);
    for (const char* text : {"b", "c"}) {
      seen = browser.next();
      ASSERT_TRUE(seen) << text;
      EXPECT_EQ(text_of(seen->payload), text);
      EXPECT_EQ(seen->state, BrowsedMessage::State::ready);
      EXPECT_FALSE(seen->redelivered);
      EXPECT_EQ(seen->holder, 0u);
    }
    EXPECT_FALSE(browser.next());
    Browser late = q.browse(1);
    a.release();
    seen = late.next();
    ASSERT_TRUE(seen);
    EXPECT_EQ(text_of(seen->payload), "b") << "what is released meanwhile is left out";
    EXPECT_FALSE(late.next()) << "1 at most";
  }
  EXPECT_EQ(q.purge().value(), 2u);
  EXPECT_EQ(q.depth(), 0u);
  auto consumer = q.consumer();
  EXPECT_EQ(consumer.try_receive().outcome(), Outcome::empty);
}

TEST_F(SpscTest, ShowsWhatCameBackAsTheNextConsumerWillHaveIt) {
  auto segment = make();
  auto q = spsc(segment, "q");
  auto producer = q.producer();
  const auto redelivered = [&] {
    const auto seen = inspect_segment(name_, {});
    return seen->objects.at(0).queue->redelivered;
  };
  const auto expect_first = [&](std::uint32_t deliveries) {
    const auto first = q.browse().next();
    ASSERT_TRUE(first);
    EXPECT_EQ(first->state, BrowsedMessage::State::redeliver);
    EXPECT_EQ(first->deliveries, deliveries);
    EXPECT_TRUE(first->redelivered);
    EXPECT_EQ(redelivered(), deliveries);
  };
  ASSERT_EQ(producer.send(bytes_of("one")), Outcome::ok);
  auto consumer = q.open_consumer();
  consumer->receive().requeue();
  expect_first(1);
  Message again = consumer->receive();
  EXPECT_EQ(again.deliveries(), 1u);
  EXPECT_EQ(redelivered(), 1u);
  {
    [[maybe_unused]] const auto gone = std::move(again);  // dropped, and its consumer with it
    [[maybe_unused]] const auto owner = std::move(*consumer);
  }
  expect_first(2);
  for (std::uint32_t i = 3; i < 300; ++i) q.consumer().receive().requeue();
  EXPECT_EQ(q.browse().next()->deliveries, 255u) << "it saturates";
  EXPECT_EQ(redelivered(), 299u);
  EXPECT_EQ(q.purge().value(), 1u);
  EXPECT_EQ(redelivered(), 299u) << "what is counted stays counted";
}

TEST_F(SpscTest, DepthCountsWhatIsClaimedAndNotTaken) {
  auto segment = make();
  auto q = spsc(segment, "q", 1024);
  auto producer = q.producer();
  const auto expect_depth = [&](std::uint64_t expected, const char* why) {
    EXPECT_EQ(q.depth(), expected) << why;
    const auto seen = inspect_segment(name_, {});
    EXPECT_EQ(seen->objects.at(0).queue->depth, expected) << "inspected: " << why;
  };
  auto first = producer.claim(100);
  auto second = producer.claim(100);
  auto third = producer.claim(100);
  expect_depth(3, "claims that are being written");
  first.publish();
  second.abort();
  expect_depth(3, "a message, one that was aborted, and a claim");
  third.publish();
  {
    auto consumer = q.consumer();
    Message held = consumer.receive();
    expect_depth(2, "one is taken");
    Message last = consumer.receive();
    expect_depth(0, "all are taken");
    last.release();
    held.requeue();
    expect_depth(0, "it waits for its consumer, who had it");
  }
  expect_depth(1, "what the last consumer left is there for the next one");
  q.consumer().receive().release();
  expect_depth(0, "nothing is left");
  ASSERT_EQ(producer.send(bytes_of(pattern(0, 400))), Outcome::ok);
  auto consumer = q.consumer();
  consumer.receive().release();
  ASSERT_EQ(producer.send(bytes_of(pattern(0, 400))), Outcome::ok);
  expect_depth(2, "the end of the ring was left out");
}

// A purge that takes a message to see whether it is too new has had it, and a message that somebody had comes marked.
TEST_F(SpscTest, APurgeLeavesAloneWhatIsSentWhileItPurges) {
  auto segment = make();
  auto q = spsc(segment, "q");
  std::atomic<bool> enough{false};
  std::jthread sender([&] {
    auto producer = q.producer();
    while (!enough.load()) (void)producer.try_send(bytes_of("new"));
  });
  std::uint64_t purged = 0, seen = 0, marked = 0;
  while (purged < 20'000 || seen < 200) {
    purged += q.purge().value();
    Message next = q.consumer().try_receive();
    if (!next) continue;
    ++seen;
    marked += next.redelivered();
    next.release();
  }
  enough = true;
  EXPECT_EQ(marked, 0u) << "of " << seen;
}

TEST_F(SpscTest, CarriesEveryByteBetweenTwoThreads) {
  auto segment = make();
  auto q = spsc(segment, "q", 1 << 14);
  constexpr std::uint64_t kMessages = 200'000;
  std::jthread sender([&] {
    auto producer = q.producer();
    std::mt19937 random(7);
    for (std::uint64_t i = 0; i < kMessages; ++i) {
      const std::string text = pattern(i, random() % 300);
      ASSERT_EQ(producer.send(bytes_of(text), kPatience), Outcome::ok);
    }
    q.close();
  });
  auto consumer = q.consumer();
  std::mt19937 random(7);
  std::uint64_t got = 0;
  for (;; ++got) {
    Message message = consumer.receive(kPatience);
    if (!message) {
      EXPECT_EQ(message.outcome(), Outcome::closed);
      break;
    }
    ASSERT_EQ(text_of(message), pattern(got, random() % 300)) << got;
    message.release();
  }
  EXPECT_EQ(got, kMessages);
}

TEST_F(SpscTest, AClaimBeforeTheEndThatWasLeftOutIsWholeWhenItIsPublishedLate) {
  auto segment = make();
  auto q = spsc(segment, "q", 1024);
  auto producer = q.producer();
  auto consumer = q.consumer();
  ASSERT_EQ(producer.send(bytes_of(pattern(0, 490))), Outcome::ok);
  consumer.try_receive().release();
  auto first = producer.claim(200), second = producer.claim(300);  // which leaves out the end of the ring
  ASSERT_TRUE(first && second);
  std::ranges::copy(bytes_of(pattern(1, 200)), first.data().begin());
  std::ranges::copy(bytes_of(pattern(2, 300)), second.data().begin());
  second.publish();
  first.publish();
  for (const auto& expected : {pattern(1, 200), pattern(2, 300)}) {
    Message message = consumer.try_receive();
    ASSERT_EQ(text_of(message), expected) << message.outcome();
    message.release();
  }
}

TEST_F(SpscTest, WhatWasWrittenIntoAnAbortedClaimIsNoMessage) {
  auto segment = make();
  auto q = spsc(segment, "q", 1024);
  auto producer = q.producer();
  auto consumer = q.consumer();
  auto aborted = producer.claim(400);
  std::ranges::fill(aborted.data(), std::byte{0xff});
  aborted.abort();
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(producer.send(bytes_of("x")), Outcome::ok);
    Message message = consumer.try_receive();
    ASSERT_EQ(text_of(message), "x") << message.outcome();
    message.release();
    ASSERT_EQ(consumer.try_receive().outcome(), Outcome::empty);
  }
}

// A release also ends what was aborted behind the message, and the producer writes there at once: a batch that went on
// from there took another message's bytes for a record's header, and released what it had never had. The soak found it.
TEST_F(SpscTest, ABatchGoesOnThoughWhatWasAbortedInItIsWrittenOver) {
  auto segment = make();
  for (const bool one_by_one : {true, false}) {
    SCOPED_TRACE(one_by_one);
    auto q = spsc(segment, "q", 1024);
    auto producer = q.producer();
    auto consumer = q.consumer();
    std::array<Claim<void>, 4> claims;
    for (std::size_t i = 0; i < 4; ++i) {
      claims[i] = producer.claim(100);
      ASSERT_TRUE(claims[i]);
      std::ranges::copy(bytes_of(pattern(i, 100)), claims[i].data().begin());
    }
    for (const std::size_t i : {0, 2, 3}) claims[i].publish();
    claims[1].abort();
    MessageBatch batch = consumer.receive_batch(64);
    ASSERT_EQ(batch.size(), 3u);
    Message first = batch.pop_front();
    EXPECT_EQ(text_of(first), pattern(0, 100));
    first.release();
    // Round the ring, as far as the third claim.
    ASSERT_EQ(producer.try_send(bytes_of(pattern(4, 400))), Outcome::ok);
    ASSERT_EQ(producer.try_send(bytes_of(pattern(5, 200))), Outcome::ok);
    if (one_by_one) {
      for (const std::uint64_t i : {2, 3}) {
        Message message = batch.pop_front();
        EXPECT_EQ(text_of(message), pattern(i, 100));
        message.release();
      }
    } else {
      batch.release();
    }
    for (const auto& [number, size] : {std::pair{4, 400}, {5, 200}}) {
      Message message = consumer.try_receive();
      EXPECT_EQ(text_of(message), pattern(static_cast<std::uint64_t>(number), static_cast<std::size_t>(size)));
      EXPECT_FALSE(message.redelivered());
      message.release();
    }
    EXPECT_EQ(consumer.try_receive().outcome(), Outcome::empty);
    ASSERT_TRUE(segment.remove_queue("q"));
  }
}

TEST_F(SpscTest, CarriesBatchesAcrossAbortedClaimsBetweenTwoThreads) {
  auto segment = make();
  auto q = spsc(segment, "q", 1024);
  constexpr std::uint64_t kMessages = 40'000;
  std::jthread sender([&] {
    auto producer = q.producer();
    std::mt19937 random(7);
    for (std::uint64_t i = 0; i < kMessages; i += 2) {
      std::array<Claim<void>, 3> claims;
      const std::array<std::uint64_t, 3> sizes{random() % 100, random() % 200, random() % 100};
      for (std::size_t k = 0; k < 3; ++k) {
        claims[k] = producer.claim(sizes[k], kPatience);
        ASSERT_TRUE(claims[k]) << claims[k].outcome();
        if (k != 1) std::ranges::copy(bytes_of(pattern(i + k / 2, sizes[k])), claims[k].data().begin());
      }
      claims[1].abort();
      claims[0].publish();
      claims[2].publish();
    }
    q.close();
  });
  auto consumer = q.consumer();
  std::mt19937 random(7);
  std::uint64_t got = 0;
  std::array<std::uint64_t, 3> sizes{};
  for (;;) {
    MessageBatch batch = consumer.receive_batch(64, kPatience);
    if (!batch) {
      EXPECT_EQ(batch.outcome(), Outcome::closed);
      break;
    }
    bool fine = true;
    batch.for_each([&](const Message& message) {
      if (got % 2 == 0) sizes = {random() % 100, random() % 200, random() % 100};
      fine &= text_of(message) == pattern(got, sizes[got % 2 * 2]);
      ++got;
    });
    ASSERT_TRUE(fine) << got;
    batch.release();
  }
  EXPECT_EQ(got, kMessages);
}

TEST_F(SpscTest, TypedElements) {
  struct Quote {
    std::uint32_t symbol;
    double bid, ask;
  };
  auto segment = make();
  auto q = segment.queue<Quote>("q", {.kind = QueueKind::spsc, .capacity = 100}).value();
  EXPECT_EQ(q.capacity(), 8192u) << "100 records of 64 bytes, as a power of two";
  auto out = q.open_producer().value();
  auto claim = out.claim();
  *claim = Quote{42, 1.5, 2.5};
  claim.publish();
  auto in = q.open_consumer().value();
  auto quote = in.receive();
  ASSERT_TRUE(quote);
  EXPECT_EQ(quote->symbol, 42u);
  EXPECT_EQ(quote->ask, 2.5);
  quote.release();
}

}  // namespace
}  // namespace shmq::test
