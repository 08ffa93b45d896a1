// The inspector on bytes that nobody vouches for: damaged, truncated, hostile, and changing while they are read.
#include <fcntl.h>
#include <sys/mman.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <random>
#include <thread>

#include "shmq/inspect.hpp"
#include "shmq/layout/queue_header.hpp"
#include "shmq/layout/segment_header.hpp"
#include "unit/inspect_support.hpp"

namespace shmq {
namespace {

using testing::ScratchFile;
using testing::SegmentName;

/// The bytes of a small segment with something of everything in it.
std::string rich_segment() {
  const SegmentName name("hostile");
  Segment segment = Segment::create(name, {.size_bytes = 128 << 10, .blocks = std::vector<BlockClass>{{256, 16}, {4096, 4}},
                                           .participants_max = 6, .objects_max = 6}).value();
  Segment peer = Segment::open(name).value();
  Queue<void> a = segment.queue("a", {.capacity = 16}).value();
  Queue<void> b = segment.queue("b", {.capacity = 8, .slot_bytes = 128, .metadata = true}).value();
  Queue<void> c = segment.queue("c", {.capacity = 2}).value();
  Producer<void> out = a.producer();
  Producer<void> peers = peer.open_queue("a").value().producer();
  Consumer<void> in = a.consumer();
  for (int i = 0; i < 20; ++i) {
    testing::send(i % 3 == 0 ? peers : out, i % 2 == 0 ? "inline" : std::string(200, 'x'));
    if (i > 10) in.try_receive().release();
  }
  Message held = in.try_receive();
  in.try_receive().requeue();
  Claim<void> claim = out.try_claim(10);
  (void)segment.remove_queue("c");
  return testing::contents(name.path());
}

/// Reads everything that a snapshot holds, so that a sanitizer sees all of it.
std::uint64_t touch(const Result<SegmentSnapshot>& snapshot) {
  if (!snapshot) return snapshot.error().message().size();
  std::uint64_t sum = snapshot->participants.size() + snapshot->blocks.size();
  for (const ParticipantSnapshot& p : snapshot->participants) sum += p.name.size() + std::strlen(to_string(p.state));
  for (const ObjectSnapshot& object : snapshot->objects) {
    sum += object.name.size() + object.kind.size() + object.damaged.size() + object.users.size();
    if (object.queue) sum += object.queue->holds.size() + object.queue->depth;
  }
  return sum;
}

std::uint64_t interesting(std::mt19937_64& random) {
  static constexpr std::uint64_t kValues[] = {0, 1, 2, 15, 16, 0xff, 0x7fff, 0xffff, 1u << 20, 0x7fffffff, 0xffffffff, 1ull << 46,
                                              1ull << 47, (1ull << 48) - 1, 1ull << 63, ~0ull, ~0ull - 4095};
  return random() % 3 == 0 ? random() : kValues[random() % std::size(kValues)];
}

/// One damage: a bit, a byte, a word, or one region written over another.
void damage(std::string& bytes, std::mt19937_64& random) {
  // Half of the damage goes to the header and the tables; anywhere in a large file it would mostly hit payloads.
  const std::size_t end = random() % 2 == 0 ? std::min<std::size_t>(bytes.size(), 16384) : bytes.size();
  const std::size_t at = random() % end;
  const std::size_t word = at / 8 * 8;
  switch (random() % 5) {
    case 0: bytes[at] = static_cast<char>(bytes[at] ^ (1 << (random() % 8))); break;
    case 1: bytes[at] = static_cast<char>(random()); break;
    case 2: { const std::uint64_t value = interesting(random); std::memcpy(&bytes[word], &value, 8); break; }
    case 3: { const auto value = static_cast<std::uint32_t>(interesting(random)); std::memcpy(&bytes[at / 4 * 4], &value, 4); break; }
    default: {
      const std::size_t from = random() % bytes.size() / 8 * 8;
      const std::size_t length = std::min({std::size_t{8} << (random() % 8), bytes.size() - word, bytes.size() - from});
      std::memmove(&bytes[word], &bytes[from], length);
    }
  }
}

TEST(InspectHostile, SurvivesDamagedBytesAnywhere) {
  const std::string sound = rich_segment();
  const ScratchFile file(testing::scratch_path("damaged"));
  const char* rounds_asked = std::getenv("SHMQ_FUZZ_ROUNDS");
  const int rounds = rounds_asked != nullptr ? std::atoi(rounds_asked) : 3000;
  int read = 0, refused = 0;
  for (int round = 0; round < rounds; ++round) {
    std::mt19937_64 random(static_cast<std::uint64_t>(round));
    std::string bytes = sound;
    for (std::uint64_t n = 1 + random() % 4; n > 0; --n) damage(bytes, random);
    testing::write_file(file.path(), bytes);
    SCOPED_TRACE(round);
    const Result<SegmentSnapshot> snapshot = inspect_copy(file.path());
    touch(snapshot);
    ++(snapshot ? read : refused);
  }
  EXPECT_GT(read, 0);
  EXPECT_GT(refused, 0);
}

TEST(InspectHostile, SurvivesEachWordOfTheTablesAndQueueHeadersAtItsExtremes) {
  const std::string sound = rich_segment();
  const ScratchFile file(testing::scratch_path("extremes"));
  testing::write_file(file.path(), sound);
  const std::uint64_t objects = reinterpret_cast<const layout::SegmentHeader*>(sound.data())->objects_offset;
  const int descriptor = ::open(file.path().c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_GE(descriptor, 0);
  const auto try_word = [&](std::size_t at) {
    for (const std::uint64_t value : {0ull, 1ull, 0xffffffffull, 1ull << 47, ~0ull}) {
      ASSERT_EQ(::pwrite(descriptor, &value, 8, static_cast<off_t>(at)), 8);
      touch(inspect_copy(file.path()));
    }
    ASSERT_EQ(::pwrite(descriptor, &sound[at], 8, static_cast<off_t>(at)), 8);
  };
  for (std::size_t at = 0; at < 400; at += 8) try_word(at);  // the header's fixed part
  for (std::size_t at = sizeof(layout::SegmentHeader); at < sizeof(layout::SegmentHeader) + 13 * 256; at += 8) try_word(at);
  for (std::uint64_t unit = objects; unit + layout::kUnitBytes <= sound.size(); unit += layout::kUnitBytes)
    for (std::size_t at = unit; at < unit + sizeof(layout::QueueHeader); at += 8) try_word(at);
  ::close(descriptor);
  EXPECT_TRUE(inspect_copy(file.path()));
}

TEST(InspectHostile, RefusesATruncatedOrLengthenedFile) {
  const std::string sound = rich_segment();
  const ScratchFile file(testing::scratch_path("truncated"));
  for (const std::size_t length : {std::size_t{1}, std::size_t{1024}, std::size_t{4095}, std::size_t{4096}, std::size_t{4097},
                                   sound.size() / 2, sound.size() - 4096, sound.size() - 1}) {
    testing::write_file(file.path(), sound.substr(0, length));
    EXPECT_FALSE(inspect_copy(file.path())) << length;
  }
  testing::write_file(file.path(), sound + std::string(4096, '\0'));
  EXPECT_EQ(inspect_copy(file.path()).error().code(), ErrorCode::corrupt);
}

TEST(InspectHostile, LooksAtNoMoreSlotsThanFitWhereEveryEntryNamesTheSameQueue) {
  const SegmentName name("overlap");
  Segment segment = Segment::create(name, {.size_bytes = 256 << 10, .blocks = std::vector<BlockClass>{}, .objects_max = 64}).value();
  (void)segment.queue("q", {.capacity = 1024}).value();
  std::string bytes = testing::contents(name.path());
  const std::size_t directory = reinterpret_cast<const layout::SegmentHeader*>(bytes.data())->directory_offset;
  for (std::size_t entry = 1; entry < 64; ++entry)
    std::memcpy(&bytes[directory + entry * sizeof(layout::DirectoryEntry)], &bytes[directory], sizeof(layout::DirectoryEntry));
  const ScratchFile file(testing::scratch_path("overlap"));
  testing::write_file(file.path(), bytes);
  const SegmentSnapshot snapshot = inspect_copy(file.path()).value();
  ASSERT_EQ(snapshot.objects.size(), 64u);
  std::size_t read = 0;
  for (const ObjectSnapshot& object : snapshot.objects) read += object.queue ? 1 : 0;
  EXPECT_EQ(read, (256u << 10) / 64 / 1024);
  EXPECT_EQ(snapshot.objects.back().damaged, "it overlaps another object");
}

TEST(InspectHostile, ShowsARowWithImpossibleContentsAsUndefined) {
  std::string bytes = rich_segment();
  const std::size_t row = sizeof(layout::SegmentHeader) + sizeof(layout::ParticipantRow);
  const std::uint64_t word = layout::owner_word(9, 9, 77, 2);  // another row's number
  std::memcpy(&bytes[row], &word, 8);
  const ScratchFile file(testing::scratch_path("row"));
  testing::write_file(file.path(), bytes);
  const SegmentSnapshot snapshot = inspect_copy(file.path()).value();
  ASSERT_EQ(snapshot.participants.size(), 2u);
  EXPECT_EQ(snapshot.participants[0].state, ParticipantState::unknown_copy);
  EXPECT_EQ(snapshot.participants[1].state, ParticipantState::undefined);
}

TEST(InspectHostile, SurvivesBytesThatChangeWhileTheyAreRead) {
  const std::string sound = rich_segment();
  const ScratchFile file(testing::scratch_path("changing"));
  testing::write_file(file.path(), sound);
  const int descriptor = ::open(file.path().c_str(), O_RDWR | O_CLOEXEC);
  void* mapped = ::mmap(nullptr, sound.size(), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  ::close(descriptor);
  ASSERT_NE(mapped, MAP_FAILED);
  auto* words = static_cast<std::atomic<std::uint64_t>*>(mapped);
  std::atomic<bool> done{false};
  std::thread scribbler([&] {
    std::mt19937_64 random(1);
    while (!done.load(std::memory_order_relaxed)) {
      const std::size_t at = random() % 8 == 0 ? random() % 50 : random() % (sound.size() / 8);
      std::uint64_t original = 0;
      std::memcpy(&original, &sound[at * 8], 8);
      words[at].store(interesting(random), std::memory_order_relaxed);
      // Most words go back, so that most looks get past the header.
      if (random() % 16 != 0 || at < 512) words[at].store(original, std::memory_order_relaxed);
    }
  });
  int read = 0;
  for (int round = 0; round < 3000; ++round) {
    const Result<SegmentSnapshot> snapshot = inspect_copy(file.path());
    touch(snapshot);
    read += snapshot ? 1 : 0;
  }
  done = true;
  scribbler.join();
  ::munmap(mapped, sound.size());
  EXPECT_GT(read, 0);
}

}  // namespace
}  // namespace shmq
