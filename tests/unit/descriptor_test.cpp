// Consumers' descriptors: when they are readable and when not, in one process.
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>
#include <vector>

#include "objects/queue_object.hpp"
#include "objects/watcher.hpp"
#include "support.hpp"

namespace shmq::test {
namespace {

bool readable(int descriptor, std::chrono::milliseconds patience = kPatience) {
  pollfd watched{descriptor, POLLIN, 0};
  return ::poll(&watched, 1, static_cast<int>(patience.count())) == 1 && (watched.revents & POLLIN) != 0;
}

/// Longer than the helper's slice: what it does by itself it has done by then.
constexpr auto kAWhile = 50ms;

std::size_t helpers() {
  std::size_t count = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::ifstream(task.path() / "comm") >> name;
    count += name == "shmq-watch" ? 1 : 0;
  }
  return count;
}

/// Eventually: a thread that was joined may be listed for a moment longer.
bool helpers_are(std::size_t count) {
  for (int i = 0; i < 10'000 && helpers() != count; ++i) std::this_thread::sleep_for(1ms);
  return helpers() == count;
}

class DescriptorTest : public SegmentTest {
 protected:
  Segment segment = make();
  Queue<void> q = queue(segment, "q", {.capacity = 64});
  Producer<void> producer = q.producer();
  Consumer<void> consumer = q.consumer();

  void send(const std::string& text) { ASSERT_EQ(producer.try_send(bytes_of(text)), Outcome::ok); }
};

TEST_F(DescriptorTest, IsReadableOnceThereIsSomethingAndNotBefore) {
  const int descriptor = consumer.descriptor().value();
  EXPECT_EQ(consumer.descriptor().value(), descriptor);
  EXPECT_EQ(::fcntl(descriptor, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
  EXPECT_EQ(::fcntl(descriptor, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(consumer.arm(), Outcome::empty);
    EXPECT_FALSE(readable(descriptor, kAWhile));
    send("message");
    ASSERT_TRUE(readable(descriptor));
    ASSERT_TRUE(readable(descriptor)) << "until it is armed again";
    expect_next(consumer, "message");
    ASSERT_TRUE(readable(descriptor)) << "receiving leaves it alone";
  }
  consumer.disarm();
  EXPECT_FALSE(readable(descriptor, 0ms));
  send("unheard");
  EXPECT_FALSE(readable(descriptor, kAWhile)) << "it is not armed";
  EXPECT_EQ(consumer.arm(), Outcome::ok);
  EXPECT_TRUE(readable(descriptor, 0ms)) << "what is there already counts, at once";
  EXPECT_EQ(consumer.arm(), Outcome::ok) << "also when nothing was received";
  EXPECT_TRUE(readable(descriptor, 0ms));
  expect_next(consumer, "unheard");
  EXPECT_EQ(consumer.arm(), Outcome::empty);
  EXPECT_EQ(consumer.arm(), Outcome::empty) << "armed twice is armed";
  send("twice");
  ASSERT_TRUE(readable(descriptor));
  expect_next(consumer, "twice");
  EXPECT_EQ(consumer.arm(), Outcome::empty);
  EXPECT_FALSE(readable(descriptor, kAWhile)) << "nothing is left of the first time";
}

TEST_F(DescriptorTest, HearsOfMessagesThatComeAgainAndOfAbortedClaims) {
  const int descriptor = consumer.descriptor().value();
  send("again");
  auto other = q.consumer();
  Message held = other.receive();
  EXPECT_EQ(consumer.arm(), Outcome::empty);
  held.requeue();
  EXPECT_TRUE(readable(descriptor));
  expect_next(consumer, "again", true);
  auto claim = producer.claim(8);
  send("behind");
  EXPECT_EQ(consumer.arm(), Outcome::empty) << "it waits behind the claim";
  claim.abort();
  EXPECT_TRUE(readable(descriptor));
  expect_next(consumer, "behind");
  // A ring full of tombs has no room for its producers until they are stepped over.
  for (int i = 0; i < 64; ++i) producer.try_claim(8).abort();
  EXPECT_EQ(producer.try_send(bytes_of("x")), Outcome::full);
  EXPECT_EQ(consumer.arm(), Outcome::ok);
  EXPECT_EQ(consumer.try_receive().outcome(), Outcome::empty);
  send("room");
}

/// The loop that a user writes: the outcome other than `empty` that ends it.
Outcome wait_for_the_end(Consumer<void>& consumer, int descriptor) {
  for (;;) {
    Message message = consumer.try_receive();
    if (message) return Outcome::ok;
    if (message.outcome() != Outcome::empty) return message.outcome();
    if (consumer.arm() == Outcome::empty && !readable(descriptor)) return Outcome::timeout;
  }
}

TEST_F(DescriptorTest, HearsOfTheEndOfTheStream) {
  const int descriptor = consumer.descriptor().value();
  send("held");
  auto other = q.consumer();
  Message held = other.receive();
  EXPECT_EQ(consumer.arm(), Outcome::empty);
  std::jthread closer([&, message = std::move(held)]() mutable {
    std::this_thread::sleep_for(5ms);
    q.close();
    std::this_thread::sleep_for(5ms);
    message.release();
  });
  EXPECT_EQ(wait_for_the_end(consumer, descriptor), Outcome::closed);
  EXPECT_EQ(consumer.arm(), Outcome::ok) << "an end is there for good";
  EXPECT_TRUE(readable(descriptor, 0ms));
}

TEST_F(DescriptorTest, HearsThatItsQueueOrItsSegmentWasRemoved) {
  auto second = queue(segment, "second", {.capacity = 4});
  auto of_second = second.consumer();
  const int descriptor = consumer.descriptor().value(), another = of_second.descriptor().value();
  EXPECT_EQ(consumer.arm(), Outcome::empty);
  EXPECT_EQ(of_second.arm(), Outcome::empty);
  ASSERT_TRUE(segment.remove_queue("q"));
  EXPECT_TRUE(readable(descriptor));
  EXPECT_EQ(consumer.try_receive().outcome(), Outcome::removed);
  EXPECT_FALSE(readable(another, kAWhile));
  ASSERT_TRUE(Segment::remove(name_));
  EXPECT_TRUE(readable(another));
  EXPECT_EQ(of_second.try_receive().outcome(), Outcome::removed);
}

TEST_F(DescriptorTest, ServesSeveralConsumersOfOneQueue) {
  auto other = q.consumer();
  const int one = consumer.descriptor().value(), two = other.descriptor().value();
  ASSERT_NE(one, two);
  for (int round = 0; round < 20; ++round) {
    EXPECT_EQ(consumer.arm(), Outcome::empty);
    EXPECT_EQ(other.arm(), Outcome::empty);
    send("for one of them");
    EXPECT_TRUE(readable(one));
    EXPECT_TRUE(readable(two));
    Message first = consumer.try_receive(), second = other.try_receive();
    EXPECT_NE(static_cast<bool>(first), static_cast<bool>(second));
    (first ? first : second).release();
  }
}

// One futex_waitv takes 128 words, of which one is the helper's own.
TEST_F(DescriptorTest, ServesMoreConsumersThanOneSystemCallWaitsFor) {
  auto large = Segment::create(name_ + "-many", {.size_bytes = 8u << 20, .objects_max = 300}).value();
  std::vector<Queue<void>> queues;
  std::vector<Consumer<void>> consumers;
  for (int i = 0; i < 200; ++i) {
    queues.push_back(queue(large, "q" + std::to_string(i), {.capacity = 4}));
    consumers.push_back(queues.back().consumer());
    ASSERT_TRUE(consumers.back().descriptor());
    ASSERT_EQ(consumers.back().arm(), Outcome::empty);
  }
  EXPECT_TRUE(helpers_are(1));
  for (const std::size_t i : {0u, 126u, 127u, 128u, 199u}) {
    ASSERT_EQ(queues[i].producer().send(bytes_of("x")), Outcome::ok);
    EXPECT_TRUE(readable(consumers[i].descriptor().value()));
  }
  EXPECT_FALSE(readable(consumers[100].descriptor().value(), 0ms));
  ASSERT_TRUE(Segment::remove(name_ + "-many"));
}

TEST_F(DescriptorTest, GoesWithItsConsumerAndTheHelperWithTheLast) {
  EXPECT_TRUE(helpers_are(0));
  int descriptor = -1;
  {
    auto gone = q.consumer();
    descriptor = gone.descriptor().value();
    EXPECT_EQ(gone.arm(), Outcome::empty);
    EXPECT_TRUE(helpers_are(1));
    ASSERT_TRUE(consumer.descriptor());
  }
  EXPECT_EQ(::fcntl(descriptor, F_GETFD), -1) << "closed with its consumer";
  EXPECT_TRUE(helpers_are(1));
  EXPECT_EQ(consumer.arm(), Outcome::empty);
  Consumer<void> moved = std::move(consumer);
  send("to the moved");
  EXPECT_TRUE(readable(moved.descriptor().value()));
  // A message outlives its consumer; the descriptor does not.
  Message message = moved.try_receive();
  descriptor = moved.descriptor().value();
  EXPECT_EQ(moved.arm(), Outcome::empty);
  { const Consumer<void> last = std::move(moved); }
  EXPECT_EQ(::fcntl(descriptor, F_GETFD), -1);
  EXPECT_TRUE(helpers_are(0));
  EXPECT_EQ(text_of(message), "to the moved");
  message.release();
  auto again = q.consumer();
  ASSERT_TRUE(again.descriptor());
  EXPECT_EQ(again.arm(), Outcome::empty);
  send("again");
  EXPECT_TRUE(readable(again.descriptor().value()));
}

TEST_F(DescriptorTest, WithoutOneArmOnlyLooks) {
  EXPECT_EQ(consumer.arm(), Outcome::empty);
  consumer.disarm();
  send("x");
  EXPECT_EQ(consumer.arm(), Outcome::ok);
  EXPECT_TRUE(helpers_are(0));
}

TEST_F(DescriptorTest, OfATypedConsumerIsTheSame) {
  auto numbers = segment.queue<std::uint64_t>("numbers", {.capacity = 4}).value();
  auto typed = numbers.consumer();
  const int descriptor = typed.descriptor().value();
  EXPECT_EQ(typed.arm(), Outcome::empty);
  ASSERT_EQ(numbers.producer().send(7), Outcome::ok);
  EXPECT_TRUE(readable(descriptor));
  auto seven = typed.try_receive();
  EXPECT_EQ(*seven, 7u);
  seven.release();
  typed.disarm();
  EXPECT_FALSE(readable(descriptor, 0ms));
}

// A message that has reached the delivery limit waits for room in the dead-letter queue, and a consumer has to try.
TEST_F(DescriptorTest, WakesItsLoopToTryADeadLetterAgain) {
  auto letters = queue(segment, "letters", {.capacity = 2});
  auto limited = queue(segment, "limited", {.capacity = 4, .delivery_limit = 1, .dead_letter = "letters"});
  for (const char* text : {"one", "two"}) ASSERT_EQ(letters.producer().try_send(bytes_of(text)), Outcome::ok);
  ASSERT_EQ(limited.producer().try_send(bytes_of("poison")), Outcome::ok);
  auto worker = limited.consumer();
  const int descriptor = worker.descriptor().value();
  worker.receive(kPatience).requeue();
  limited.close();
  std::jthread reader([&] {
    std::this_thread::sleep_for(60ms);
    auto of_letters = letters.consumer();
    expect_next(of_letters, "one");
  });
  EXPECT_EQ(wait_for_the_end(worker, descriptor), Outcome::closed) << "it went there, and nothing else is left";
  reader.join();
  EXPECT_EQ(letters.depth(), 2u);
}

// As of a publisher that was killed before its wake, or that read the event just when membarrier began to be
// refused. This one lives, so that no sweep wakes anybody.
TEST_F(DescriptorTest, HearsOfAMessageThatWasNeverAnnounced) {
  auto attachment = core::Attachment::open(name_, {}).value();
  auto handle = objects::open_queue(attachment, "q", 0).value();
  const int descriptor = consumer.descriptor().value();
  EXPECT_EQ(consumer.arm(), Outcome::empty);
  const core::Grant grant = handle->ring.try_claim(attachment->me());
  ASSERT_EQ(grant.status, core::RingStatus::ok);
  std::memcpy(handle->payload(grant.position), "mute", 4);
  handle->slot(grant.position).descriptor.store(layout::descriptor(4, 0));
  handle->ring.publish(grant.position);
  EXPECT_TRUE(readable(descriptor));
  expect_next(consumer, "mute");
}

TEST_F(DescriptorTest, OfARingOfRecordsHearsTheSame) {
  auto records = queue(segment, "records", {.kind = QueueKind::spsc});
  auto sender = records.producer();
  auto receiver = records.consumer();
  const int descriptor = receiver.descriptor().value();
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(receiver.arm(), Outcome::empty);
    EXPECT_FALSE(readable(descriptor, kAWhile));
    ASSERT_EQ(sender.send(bytes_of("message")), Outcome::ok);
    EXPECT_TRUE(readable(descriptor));
    expect_next(receiver, "message");
  }
  ASSERT_EQ(sender.send(bytes_of("again")), Outcome::ok);
  {
    Message dropped = receiver.receive(kPatience);
    EXPECT_EQ(receiver.arm(), Outcome::empty);
  }
  EXPECT_TRUE(readable(descriptor)) << "what its own consumer gives back, it comes to";
  Message again = receiver.try_receive();
  EXPECT_TRUE(again.redelivered());
  receiver.disarm();
  again.requeue();
  EXPECT_FALSE(readable(descriptor, 0ms)) << "it is not armed";
  EXPECT_EQ(receiver.arm(), Outcome::ok);
  expect_next(receiver, "again", true);
  auto first = sender.claim(8), second = sender.claim(8);
  EXPECT_EQ(receiver.arm(), Outcome::empty);
  first.abort();
  EXPECT_TRUE(readable(descriptor)) << "there is a claim to step over";
  EXPECT_EQ(receiver.try_receive().outcome(), Outcome::empty);
  EXPECT_EQ(receiver.arm(), Outcome::empty);
  second.publish();
  EXPECT_TRUE(readable(descriptor));
  EXPECT_TRUE(readable(descriptor, 0ms));
  receiver.try_receive().release();
  EXPECT_EQ(receiver.arm(), Outcome::empty);
  records.close();
  EXPECT_EQ(wait_for_the_end(receiver, descriptor), Outcome::closed);
  auto other = records.consumer();
  ASSERT_TRUE(other.descriptor());
  EXPECT_EQ(other.arm(), Outcome::ok) << "a receive has something to say:";
  EXPECT_EQ(other.try_receive().outcome(), Outcome::busy);
}

TEST_F(DescriptorTest, HelperTakesNoSignals) {
  ASSERT_TRUE(consumer.descriptor());
  sigset_t ours, before;
  sigemptyset(&ours);
  sigaddset(&ours, SIGUSR1);
  ::pthread_sigmask(SIG_BLOCK, &ours, &before);
  ASSERT_EQ(::kill(::getpid(), SIGUSR1), 0);  // it would end the process where anybody takes it
  const timespec patience{60, 0};
  EXPECT_EQ(::sigtimedwait(&ours, nullptr, &patience), SIGUSR1);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

TEST_F(DescriptorTest, WakesAnEdgeTriggeredLoopForEachTimeItIsArmed) {
  const int descriptor = consumer.descriptor().value();
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  epoll_event interest{.events = EPOLLIN | EPOLLET, .data = {}};
  ASSERT_EQ(::epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &interest), 0);
  constexpr int kMessages = 2000;
  std::jthread sender([&] {
    for (int i = 0; i < kMessages; ++i) {
      ASSERT_EQ(producer.send(bytes_of(std::to_string(i))), Outcome::ok);
      if (i % 100 == 0) std::this_thread::sleep_for(200us);
    }
  });
  for (int received = 0; received < kMessages;) {
    (void)consumer.arm();
    epoll_event event{};
    ASSERT_EQ(::epoll_wait(epoll, &event, 1, 60'000), 1);
    for (int turn = 0; turn < 3; ++turn) {  // what is left makes it readable again
      Message message = consumer.try_receive();
      if (!message) break;
      ASSERT_EQ(text_of(message), std::to_string(received++));
      message.release();
    }
  }
  ::close(epoll);
}

// At the watcher itself, over an event that is no queue's: its slices find nothing, so that a change of the
// word that it misses is a hang.
TEST_F(DescriptorTest, NoChangeOfAWordIsMissed) {
  auto attachment = core::Attachment::open(name_, {}).value();
  auto handle = objects::open_queue(attachment, "q", 0).value();
  auto& watcher = objects::Watcher::of_this_process();
  const int descriptor = consumer.descriptor().value();  // any eventfd will do: its own watch is never armed
  core::EventWord word{0};
  std::atomic<int> done{0}, asked{0};
  objects::Watch watch;
  watch.queue = handle.get();
  watch.descriptor = descriptor;
  ASSERT_TRUE(watcher.add(watch));
  constexpr int kRounds = 3000;
  std::jthread publisher([&] {
    for (int i = 1; i <= kRounds; ++i) {
      while (asked.load(std::memory_order_acquire) < i) std::this_thread::yield();
      for (int spin = 0; spin < i % 64 * 8; ++spin) base::cpu_relax();
      done.store(i, std::memory_order_release);
      core::notify(word);
    }
  });
  core::Lookout lookout;
  lookout.seen = handle->ring.redelivery_sequence();
  for (int i = 1; i <= kRounds; ++i) {
    asked.store(i, std::memory_order_release);
    const std::uint32_t expected = core::prepare_sleep(word);
    watcher.arm(watch, word, expected, lookout);
    if (done.load(std::memory_order_acquire) >= i) continue;
    if (!readable(descriptor)) {
      ADD_FAILURE() << "round " << i;
      ::_exit(1);  // the publisher waits for ever
    }
  }
  watcher.remove(watch);
}

}  // namespace
}  // namespace shmq::test
