// The inspector's numbers: while a queue is in use, when everybody is stopped or dead, on copies, without write permission.
#include "shmq/inspect.hpp"

#include <grp.h>
#include <sys/stat.h>

#include <chrono>
#include <optional>

#include "objects/queue_object.hpp"
#include "unit/inspect_support.hpp"

namespace shmq {
namespace {

using namespace std::chrono_literals;
using testing::contents;
using testing::Peer;
using testing::ScratchFile;
using testing::SegmentName;

constexpr std::uint64_t kSize = 2 << 20;

SegmentSnapshot must_inspect(const std::string& name) { return inspect_segment(name).value(); }

const QueueSnapshot& queue_of(const SegmentSnapshot& snapshot, const std::string& name) {
  const ObjectSnapshot* object = snapshot.queue(name);
  if (object == nullptr) throw std::runtime_error("no queue " + name);
  return *object->queue;
}

const ParticipantSnapshot* by_pid(const SegmentSnapshot& snapshot, pid_t pid) {
  for (const ParticipantSnapshot& p : snapshot.participants)
    if (p.pid == static_cast<std::uint32_t>(pid)) return &p;
  return nullptr;
}

const HoldSnapshot* hold_of(const QueueSnapshot& queue, HoldSnapshot::Kind kind, std::uint32_t participant) {
  for (const HoldSnapshot& hold : queue.holds)
    if (hold.kind == kind && hold.participant == participant) return &hold;
  return nullptr;
}

std::uint64_t sum(const QueueSnapshot::Slots& n) {
  return n.free + n.writing + n.ready + n.tombs + n.reading + n.rereading + n.redeliver + n.unclear;
}

TEST(Inspect, TellsEveryNumberOfAQueueInUse) {
  const SegmentName name("use");
  Segment segment = Segment::create(name, {.size_bytes = kSize, .blocks = std::vector<BlockClass>{}}, {.name = "me"}).value();
  Queue<void> queue = segment.queue("q", {.capacity = 8, .slot_bytes = 128, .on_full = OnFull::reject, .metadata = true}).value();
  Producer<void> out = queue.producer();
  Consumer<void> in = queue.consumer();
  for (int i = 0; i < 4; ++i) testing::send(out, "x");
  in.try_receive().release();                 // position 0
  Message held = in.try_receive();            // position 1
  in.try_receive().requeue();               // position 2: to be redelivered
  out.try_claim(1).abort();                   // position 4
  Claim<void> claim = out.try_claim(1);       // position 5
  testing::send(out, "y");                    // position 6

  const SegmentSnapshot snapshot = must_inspect(name);
  const QueueSnapshot& q = queue_of(snapshot, "q");
  EXPECT_EQ(q.capacity, 8u);
  EXPECT_EQ(q.slot_bytes, 128u);
  EXPECT_EQ(q.inline_bytes, 80u);
  EXPECT_EQ(q.on_full, OnFull::reject);
  EXPECT_TRUE(q.metadata);
  EXPECT_FALSE(q.closed);
  EXPECT_FALSE(q.removed);
  EXPECT_EQ(q.total_in, 7u);
  EXPECT_EQ(q.total_out, 1u);
  EXPECT_EQ(q.depth, 4u);
  EXPECT_EQ(q.redelivered, 1u);
  EXPECT_EQ(q.tombs, 1u);
  EXPECT_EQ(q.slots.free, 2u);
  EXPECT_EQ(q.slots.writing, 1u);
  EXPECT_EQ(q.slots.ready, 2u);
  EXPECT_EQ(q.slots.tombs, 1u);
  EXPECT_EQ(q.slots.reading, 1u);
  EXPECT_EQ(q.slots.redeliver, 1u);
  EXPECT_EQ(q.slots.unclear, 0u);
  EXPECT_EQ(sum(q.slots), q.capacity);

  ASSERT_EQ(q.holds.size(), 2u);
  EXPECT_EQ(q.holds[0].kind, HoldSnapshot::Kind::reading);
  EXPECT_EQ(q.holds[0].oldest_position, 1u);
  EXPECT_EQ(q.holds[0].count, 1u);
  EXPECT_EQ(q.holds[1].kind, HoldSnapshot::Kind::writing);
  EXPECT_EQ(q.holds[1].oldest_position, 5u);
  ASSERT_TRUE(q.holds[0].at_most_ns);
  EXPECT_FALSE(q.consumers_wait_for);
  EXPECT_FALSE(q.producers_wait_for);

  Message again = in.try_receive();  // position 2, once more
  ASSERT_TRUE(again.redelivered());
  const SegmentSnapshot later = must_inspect(name);
  const HoldSnapshot* both = hold_of(queue_of(later, "q"), HoldSnapshot::Kind::reading, later.participants.at(0).id);
  ASSERT_NE(both, nullptr);
  EXPECT_EQ(both->count, 2u);
  EXPECT_EQ(both->redelivered, 1u);
  EXPECT_EQ(both->oldest_position, 1u);
  EXPECT_EQ(queue_of(later, "q").slots.rereading, 1u);
  EXPECT_EQ(sum(queue_of(later, "q").slots), 8u);
}

TEST(Inspect, TellsTheSegmentAndWhoIsAttached) {
  const SegmentName name("facts");
  Segment segment = Segment::create(name, {.size_bytes = kSize, .participants_max = 5, .objects_max = 7, .mode = 0640}, {.name = "first"}).value();
  Segment second = Segment::open(name, {.name = "second"}).value();
  const SegmentSnapshot snapshot = must_inspect(name);
  EXPECT_EQ(snapshot.name, name.text());
  EXPECT_EQ(snapshot.path, name.path());
  EXPECT_FALSE(snapshot.copy);
  EXPECT_FALSE(snapshot.removed);
  EXPECT_EQ(snapshot.size_bytes, kSize);
  EXPECT_EQ(snapshot.mode, 0640u);
  EXPECT_EQ(snapshot.uid, ::geteuid());
  EXPECT_EQ(snapshot.participants_max, 5u);
  EXPECT_EQ(snapshot.objects_max, 7u);
  EXPECT_EQ(snapshot.uuid.size(), 36u);
  EXPECT_EQ(snapshot.creator_pid, static_cast<std::uint32_t>(::getpid()));
  EXPECT_GT(snapshot.object_bytes_free, 0u);
  ASSERT_EQ(snapshot.participants.size(), 2u);
  EXPECT_EQ(snapshot.participants[0].name, "first");
  EXPECT_EQ(snapshot.participants[1].name, "second");
  for (const ParticipantSnapshot& p : snapshot.participants) {
    EXPECT_EQ(p.state, ParticipantState::alive);
    EXPECT_EQ(p.pid, static_cast<std::uint32_t>(::getpid()));
    EXPECT_TRUE(p.pid_is_ours);
    EXPECT_GT(p.attached_ns, 0);
  }
}

TEST(Inspect, NamesEachOfSeveralHolders) {
  const SegmentName name("holders");
  Segment a = Segment::create(name, {.size_bytes = kSize}, {.name = "a"}).value();
  Segment b = Segment::open(name, {.name = "b"}).value();
  Producer<void> from_a = a.queue("q", {.capacity = 16}).value().producer();
  Producer<void> from_b = b.open_queue("q").value().producer();
  Claim<void> a0 = from_a.try_claim(8), b1 = from_b.try_claim(8), b2 = from_b.try_claim(8), a3 = from_a.try_claim(8), b4 = from_b.try_claim(8);
  b2.publish();
  const SegmentSnapshot snapshot = must_inspect(name);
  const QueueSnapshot& q = queue_of(snapshot, "q");
  ASSERT_EQ(q.holds.size(), 2u);
  EXPECT_EQ(snapshot.participant(q.holds[0].participant)->name, "a");
  EXPECT_EQ(q.holds[0].count, 2u);
  EXPECT_EQ(q.holds[0].oldest_position, 0u);
  EXPECT_EQ(snapshot.participant(q.holds[1].participant)->name, "b");
  EXPECT_EQ(q.holds[1].count, 2u);
  EXPECT_EQ(q.holds[1].oldest_position, 1u);
  ASSERT_TRUE(q.consumers_wait_for);
  EXPECT_EQ(q.consumers_wait_for->position, 0u);
  EXPECT_EQ(q.consumers_wait_for->participant, q.holds[0].participant);
}

TEST(Inspect, KeepsCountingPastTheWrapOfPositions) {
  const SegmentName name("wrap");
  auto attachment = core::Attachment::create(name, {.size_bytes = kSize}, {}).value();
  const std::uint64_t start = (std::uint64_t{3} << layout::kPositionBits) - 3;
  const objects::QueueShape shape = objects::shape_of({.capacity = 4}, 0).value();
  auto handle = objects::declare_queue(attachment, "q", shape, start).value();
  core::ShmRing ring = handle->ring;
  for (int i = 0; i < 5; ++i) {
    ring.publish(ring.try_claim(attachment->me()).position);
    ring.release(ring.try_take(attachment->me()).position);
  }
  const core::Grant held = ring.try_claim(attachment->me());
  ASSERT_EQ(held.status, core::RingStatus::ok);
  const SegmentSnapshot snapshot = must_inspect(name);
  const QueueSnapshot& q = queue_of(snapshot, "q");
  EXPECT_EQ(q.total_in, 6u);
  EXPECT_EQ(q.total_out, 5u);
  EXPECT_EQ(q.tail_position, start + 6);
  ASSERT_EQ(q.holds.size(), 1u);
  EXPECT_EQ(q.holds[0].oldest_position, start + 5);
  ASSERT_TRUE(q.consumers_wait_for);
  ring.publish(held.position);
}

TEST(Inspect, TellsBlocksInMessagesFromBlocksInHands) {
  const SegmentName name("blocks");
  Segment segment = Segment::create(name, {.size_bytes = kSize, .blocks = std::vector<BlockClass>{{4096, 8}}}).value();
  Queue<void> queue = segment.queue("q", {.capacity = 16}).value();
  Producer<void> out = queue.producer();
  const std::string large(3000, 'x');
  testing::send(out, large);
  testing::send(out, large);
  testing::send(out, large);
  Claim<void> filling = out.try_claim(4000);
  Consumer<void> in = queue.consumer();
  Message reading = in.try_receive();
  in.try_receive().release();
  const SegmentSnapshot snapshot = must_inspect(name);
  ASSERT_EQ(snapshot.blocks.size(), 1u);
  EXPECT_EQ(snapshot.blocks[0].block_bytes, 4096u);
  EXPECT_EQ(snapshot.blocks[0].count, 8u);
  EXPECT_EQ(snapshot.blocks[0].free, 5u);
  EXPECT_EQ(snapshot.blocks[0].in_messages, 2u);
  EXPECT_EQ(snapshot.blocks[0].by_participants, 1u);
  EXPECT_EQ(snapshot.participants.at(0).blocks, 1u);
}

TEST(Inspect, ShowsARemovedQueueForAsLongAsItsSpaceIsKeptAndForWhom) {
  const SegmentName name("removing");
  Segment segment = Segment::create(name, {.size_bytes = kSize}).value();
  std::optional<Queue<void>> queue = segment.queue("q", {.capacity = 4}).value();
  ASSERT_TRUE(segment.remove_queue("q"));
  const SegmentSnapshot during = must_inspect(name);
  ASSERT_EQ(during.objects.size(), 1u);
  EXPECT_EQ(during.objects[0].state, ObjectState::removing);
  EXPECT_EQ(during.objects[0].name, "q");
  EXPECT_EQ(during.objects[0].users, std::vector<std::uint32_t>{during.participants.at(0).id});
  EXPECT_TRUE(during.objects[0].queue->removed);
  EXPECT_EQ(during.queue("q"), nullptr);
  queue.reset();
  const SegmentSnapshot after = must_inspect(name);
  EXPECT_TRUE(after.objects.empty());
  EXPECT_EQ(after.object_bytes_free, after.object_bytes);
}

TEST(Inspect, CountsTheWaitsOfProducersAndConsumers) {
  const SegmentName name("waits");
  Segment segment = Segment::create(name, {.size_bytes = kSize}).value();
  Queue<void> queue = segment.queue("q", {.capacity = 2}).value();
  Producer<void> out = queue.producer();
  Consumer<void> in = queue.consumer();
  EXPECT_EQ(in.receive(1ms).outcome(), Outcome::timeout);
  testing::send(out, "1");
  testing::send(out, "2");
  EXPECT_EQ(out.claim(1, 1ms).outcome(), Outcome::timeout);
  EXPECT_EQ(out.claim(1, 1ms).outcome(), Outcome::timeout);
  ASSERT_TRUE(queue.purge());
  queue.close();
  const SegmentSnapshot snapshot = must_inspect(name);
  const QueueSnapshot& q = queue_of(snapshot, "q");
  EXPECT_EQ(q.empty_waits, 1u);
  EXPECT_EQ(q.full_waits, 2u);
  EXPECT_EQ(q.purged, 2u);
  EXPECT_TRUE(q.closed);
}

/// Attaches, holds one message and one claim, and fills the queue of four.
void hold_things(const std::string& name) {
  auto segment = new Segment(Segment::open(name, {.name = "holder"}).value());
  Queue<void> queue = segment->open_queue("q").value();
  auto out = new Producer<void>(queue.producer());
  auto in = new Consumer<void>(queue.consumer());
  testing::send(*out, "0");
  testing::send(*out, "1");
  new Message(in->try_receive());
  testing::send(*out, "2");
  new Claim<void>(out->try_claim(1));
}

void expect_what_hold_things_left(const SegmentSnapshot& snapshot, pid_t pid, ParticipantState state) {
  const ParticipantSnapshot* holder = by_pid(snapshot, pid);
  ASSERT_NE(holder, nullptr);
  EXPECT_EQ(holder->state, state);
  EXPECT_EQ(holder->name, "holder");
  const QueueSnapshot& q = queue_of(snapshot, "q");
  EXPECT_EQ(q.depth, 3u);
  EXPECT_EQ(q.total_in, 4u);
  EXPECT_EQ(q.total_out, 0u);
  EXPECT_EQ(q.slots.ready, 2u);
  const HoldSnapshot* reading = hold_of(q, HoldSnapshot::Kind::reading, holder->id);
  const HoldSnapshot* writing = hold_of(q, HoldSnapshot::Kind::writing, holder->id);
  ASSERT_NE(reading, nullptr);
  ASSERT_NE(writing, nullptr);
  EXPECT_EQ(reading->oldest_position, 0u);
  EXPECT_EQ(writing->oldest_position, 3u);
  ASSERT_TRUE(q.producers_wait_for);
  EXPECT_EQ(q.producers_wait_for->position, 0u);
  EXPECT_EQ(q.producers_wait_for->participant, holder->id);
  EXPECT_EQ(reading->at_most_ns.has_value(), state != ParticipantState::unknown_copy);
  EXPECT_EQ(q.holds.size(), 2u);
}

class InspectPeers : public ::testing::Test {
 protected:
  void SetUp() override {
    // The maker stops as well, so that nobody is left who could move; one who left would take no row.
    Segment segment = Segment::create(name_, {.size_bytes = kSize, .mode = 0644}).value();
    (void)segment.queue("q", {.capacity = 4}).value();
  }
  const SegmentName name_{"peers"};
};

TEST_F(InspectPeers, IsRightWhenEveryProcessIsStopped) {
  Peer peer([&] { hold_things(name_); });
  ASSERT_TRUE(peer.worked());
  peer.stop();
  const SegmentSnapshot snapshot = must_inspect(name_);
  EXPECT_EQ(snapshot.participants.size(), 1u);
  expect_what_hold_things_left(snapshot, peer.pid(), ParticipantState::alive);
}

TEST_F(InspectPeers, IsRightWhenEveryProcessIsDead) {
  Peer peer([&] { hold_things(name_); });
  ASSERT_TRUE(peer.worked());
  const pid_t pid = peer.pid();
  peer.kill();
  for (int look = 0; look < 2; ++look)  // it repairs nothing
    expect_what_hold_things_left(must_inspect(name_), pid, ParticipantState::dead);

  Segment survivor = Segment::open(name_, {.name = "survivor"}).value();  // this one does
  const SegmentSnapshot mended = must_inspect(name_);
  EXPECT_EQ(by_pid(mended, pid), nullptr);
  EXPECT_TRUE(queue_of(mended, "q").holds.empty());
  EXPECT_EQ(queue_of(mended, "q").slots.redeliver, 1u);
  EXPECT_EQ(queue_of(mended, "q").slots.tombs, 1u);
  EXPECT_EQ(queue_of(mended, "q").redelivered, 1u);
}

TEST_F(InspectPeers, ShowsACopiedFileWithUnknownLiveness) {
  Peer peer([&] { hold_things(name_); });
  ASSERT_TRUE(peer.worked());
  const SegmentName other("peers-copied");
  const ScratchFile elsewhere(testing::scratch_path("copy"));
  testing::write_file(elsewhere.path(), contents(name_.path()));
  testing::write_file(other.path(), contents(name_.path()));
  for (const Result<SegmentSnapshot>& copy : {inspect_copy(elsewhere.path()), inspect_copy(other.path()), inspect_segment(other)}) {
    ASSERT_TRUE(copy) << copy.error();
    EXPECT_TRUE(copy->copy);
    expect_what_hold_things_left(*copy, peer.pid(), ParticipantState::unknown_copy);
  }
  EXPECT_STREQ(to_string(ParticipantState::unknown_copy), "unknown (copy)");
  // The path of the living file is no copy.
  const SegmentSnapshot living = inspect_copy(name_.path()).value();
  EXPECT_FALSE(living.copy);
  expect_what_hold_things_left(living, peer.pid(), ParticipantState::alive);
}

/// Runs `check` as nobody; its exit status, or nothing where this user cannot become nobody.
template <class Check>
std::optional<int> as_nobody(Check&& check) {
  if (::geteuid() != 0) return std::nullopt;
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setgroups(0, nullptr) != 0 || ::setgid(65534) != 0 || ::setuid(65534) != 0) ::_exit(99);
    if (::access("/dev/shm", R_OK | X_OK) != 0) ::_exit(99);  // a chroot whose root is closed to others
    ::_exit(check());
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 99) return std::nullopt;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_F(InspectPeers, NeedsNoMoreThanPermissionToRead) {
  Peer peer([&] { hold_things(name_); });
  ASSERT_TRUE(peer.worked());
  const auto status = as_nobody([&] {
    const Result<SegmentSnapshot> snapshot = inspect_segment(name_);
    if (!snapshot) return 10;
    const ParticipantSnapshot* holder = by_pid(*snapshot, peer.pid());
    if (holder == nullptr || holder->state != ParticipantState::alive) return 11;
    return queue_of(*snapshot, "q").holds.size() == 2 ? 0 : 12;
  });
  if (!status) GTEST_SKIP() << "only root can become nobody, and only where nobody can reach /dev/shm";
  EXPECT_EQ(*status, 0);
}

TEST_F(InspectPeers, SaysThatItMayNotReadWhatItMayNotRead) {
  ASSERT_EQ(::chmod(name_.path().c_str(), 0600), 0);
  const auto status = as_nobody([&] {
    const Result<SegmentSnapshot> snapshot = inspect_segment(name_);
    return !snapshot && snapshot.error().code() == ErrorCode::permission ? 0 : 10;
  });
  if (!status) GTEST_SKIP() << "only root can become nobody, and only where nobody can reach /dev/shm";
  EXPECT_EQ(*status, 0);
}

TEST_F(InspectPeers, LeavesNoTraceInTheSegment) {
  Peer peer([&] { hold_things(name_); });
  ASSERT_TRUE(peer.worked());
  peer.stop();
  const std::string before = contents(name_.path());
  for (int look = 0; look < 10; ++look) ASSERT_TRUE(inspect_segment(name_));
  ASSERT_TRUE(inspect_segment(name_, {.slots = false}));
  EXPECT_TRUE(before == contents(name_.path()));
}

TEST(Inspect, SaysWhatIsWrongWithWhatIsNoSegment) {
  EXPECT_EQ(inspect_segment("test-there-is-none").error().code(), ErrorCode::not_found);
  EXPECT_EQ(inspect_segment("a/b").error().code(), ErrorCode::invalid_argument);
  EXPECT_EQ(inspect_copy("/nowhere/at/all").error().code(), ErrorCode::not_found);
  EXPECT_EQ(inspect_copy("/dev/null").error().code(), ErrorCode::incompatible);
  EXPECT_EQ(inspect_copy("/tmp").error().code(), ErrorCode::incompatible);
  const ScratchFile text(testing::scratch_path("text"));
  for (const std::size_t length : {0u, 1u, 100u, 5000u, 100000u}) {
    testing::write_file(text.path(), std::string(length, 'a'));
    EXPECT_EQ(inspect_copy(text.path()).error().code(), ErrorCode::incompatible) << length;
  }
}

TEST(Inspect, ListsAHundredQueues) {
  const SegmentName name("hundred");
  Segment segment = Segment::create(name, {.size_bytes = 32 << 20}).value();
  for (int i = 0; i < 100; ++i) {
    Queue<void> queue = segment.queue("q" + std::to_string(i), {.capacity = 1024}).value();
    Producer<void> out = queue.producer();
    for (int n = 0; n <= i; ++n) testing::send(out, "x");
  }
  const auto names = list_segments();
  EXPECT_NE(std::find(names.begin(), names.end(), name.text()), names.end());
  for (const bool slots : {false, true}) {
    const auto began = std::chrono::steady_clock::now();
    const SegmentSnapshot snapshot = inspect_segment(name, {.slots = slots}).value();
    const auto took = std::chrono::steady_clock::now() - began;
    RecordProperty(slots ? "microseconds_with_slots" : "microseconds",
                   static_cast<int>(std::chrono::duration_cast<std::chrono::microseconds>(took).count()));
    ASSERT_EQ(snapshot.objects.size(), 100u);
    for (int i = 0; i < 100; ++i) EXPECT_EQ(queue_of(snapshot, "q" + std::to_string(i)).depth, static_cast<std::uint64_t>(i) + 1);
  }
}

}  // namespace
}  // namespace shmq
