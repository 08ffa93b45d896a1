// Segments and declarations: the same again is fine, another is an error that names the difference.
#include "support.hpp"

#include <sys/stat.h>

#include <algorithm>

namespace shmq::test {
namespace {

using SegmentsTest = SegmentTest;

void expect_error(const Error& error, ErrorCode code, std::initializer_list<const char*> words) {
  EXPECT_EQ(error.code(), code) << error;
  EXPECT_EQ(error.message().find('\n'), std::string::npos);
  for (const char* word : words)
    EXPECT_NE(error.message().find(word), std::string::npos) << "no \"" << word << "\" in " << error;
}

TEST_F(SegmentsTest, AreCreatedOpenedListedAndRemoved) {
  expect_error(Segment::open(name_).error(), ErrorCode::not_found, {name_.c_str(), "shmq"});
  auto segment = make({.size_bytes = (1u << 20) - 5});
  EXPECT_EQ(segment.name(), name_);
  EXPECT_EQ(segment.size_bytes(), 1u << 20);
  struct stat status {};
  ASSERT_EQ(::stat(("/dev/shm/shmq." + name_).c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600u);
  EXPECT_EQ(status.st_blocks * 512, 1 << 20) << "all of it is reserved";
  const auto names = Segment::list();
  EXPECT_TRUE(std::find(names.begin(), names.end(), name_) != names.end());
  expect_error(Segment::create(name_).error(), ErrorCode::already_exists, {name_.c_str()});
  EXPECT_TRUE(Segment::open(name_));
  ASSERT_TRUE(Segment::remove(name_));
  expect_error(Segment::remove(name_).error(), ErrorCode::not_found, {name_.c_str()});
  EXPECT_NE(::stat(("/dev/shm/shmq." + name_).c_str(), &status), 0);
}

TEST_F(SegmentsTest, OpenOrCreateTakesTheSameDeclarationAndNamesADifference) {
  const SegmentOptions options{
      .size_bytes = 2u << 20, .blocks = {{{4096, 8}}}, .participants_max = 10, .objects_max = 20};
  auto created = Segment::open_or_create(name_, options);
  ASSERT_TRUE(created) << created.error();
  EXPECT_TRUE(Segment::open_or_create(name_, options));
  SegmentOptions any_blocks = options;
  any_blocks.blocks.reset();
  EXPECT_TRUE(Segment::open_or_create(name_, any_blocks)) << "blocks that were not asked for do not differ";
  const auto different = [&](auto change, std::initializer_list<const char*> words) {
    SegmentOptions other = options;
    change(other);
    const auto opened = Segment::open_or_create(name_, other);
    ASSERT_FALSE(opened);
    expect_error(opened.error(), ErrorCode::different, words);
  };
  different([](auto& o) { o.size_bytes = 4u << 20; }, {"size is 2 MiB, not 4 MiB"});
  different([](auto& o) { o.participants_max = 11; }, {"participants_max is 10, not 11"});
  different([](auto& o) { o.objects_max = 21; }, {"objects_max is 20, not 21"});
  different([](auto& o) { o.blocks = {{4096, 9}}; }, {"8x4 KiB", "9x4 KiB"});
  different([](auto& o) { o.blocks = std::vector<BlockClass>(); }, {"8x4 KiB", "none"});
}

TEST_F(SegmentsTest, AQueueDeclaredAgainIsTheSameQueue) {
  auto segment = make();
  const QueueOptions options{.capacity = 100, .slot_bytes = 128, .on_full = OnFull::reject, .metadata = true};
  auto first = queue(segment, "q", options);
  EXPECT_EQ(first.capacity(), 128u) << "rounded up";
  EXPECT_EQ(first.name(), "q");
  auto again = queue(segment, "q", options);
  EXPECT_EQ(first.generation(), again.generation());
  EXPECT_TRUE(
      segment.queue("q", {.capacity = 128, .slot_bytes = 128, .on_full = OnFull::reject, .metadata = true}));
  const auto different = [&](const QueueOptions& other, std::initializer_list<const char*> words) {
    const auto declared = segment.queue("q", other);
    ASSERT_FALSE(declared);
    expect_error(declared.error(), ErrorCode::different, words);
  };
  different({.capacity = 64, .slot_bytes = 128, .on_full = OnFull::reject, .metadata = true},
            {"capacity is 128, not 64"});
  different({.capacity = 128, .slot_bytes = 256, .on_full = OnFull::reject, .metadata = true},
            {"128 B", "256 B"});
  different({.capacity = 128, .slot_bytes = 128, .metadata = true}, {"on_full is reject, not block"});
  different({.capacity = 128, .slot_bytes = 128, .on_full = OnFull::reject},
            {"metadata is kept, not not kept"});
  different({.capacity = 2}, {"capacity", "slot size", "on_full", "metadata"});
  ASSERT_TRUE(segment.remove_queue("q"));
  EXPECT_NE(queue(segment, "q", {.capacity = 2}).generation(), first.generation());
}

TEST_F(SegmentsTest, ElementsOfAnotherSizeAreADifference) {
  auto segment = make();
  ASSERT_TRUE(segment.queue<std::uint64_t>("q", {.capacity = 4}));
  EXPECT_TRUE(segment.queue<double>("q", {.capacity = 4}));
  EXPECT_TRUE(segment.open_queue<std::int64_t>("q"));
  EXPECT_TRUE(segment.open_queue("q")) << "bytes are bytes";
  expect_error(segment.queue<std::uint32_t>("q", {.capacity = 4}).error(), ErrorCode::different,
               {"8 B", "4 B"});
  expect_error(segment.open_queue<std::uint32_t>("q").error(), ErrorCode::different, {"8 B", "4 B"});
}

TEST_F(SegmentsTest, QueuesThatCannotBeAreRefusedWithTheNumber) {
  auto segment = make();
  const auto refused = [&](const QueueOptions& options, std::initializer_list<const char*> words) {
    const auto declared = segment.queue("q", options);
    ASSERT_FALSE(declared);
    expect_error(declared.error(), ErrorCode::invalid_argument, words);
  };
  refused({.capacity = 0}, {"capacity is 0"});
  refused({.capacity = (1u << 24) + 1}, {"16777217", "16777216"});
  refused({.slot_bytes = 32}, {"32", "64"});
  refused({.slot_bytes = 100}, {"100", "power of two"});
  refused({.slot_bytes = 131'072}, {"131072", "65536"});
  refused({.slot_bytes = 64, .metadata = true}, {"128"});
  expect_error(segment.open_queue("none").error(), ErrorCode::not_found, {"none", name_.c_str()});
  EXPECT_TRUE(segment.queues().empty());
}

TEST_F(SegmentsTest, AnAttachmentIsSharedByItsHandlesAndLeavesWithTheLast) {
  auto segment = make({.size_bytes = 1u << 20, .participants_max = 2});
  {
    auto second = std::make_unique<Segment>(Segment::open(name_).value());
    auto q = std::make_unique<Queue<void>>(second->queue("q", {.capacity = 4}).value());
    auto producer = q->producer();
    q.reset();
    second.reset();
    EXPECT_EQ(producer.send(bytes_of("x")), Outcome::ok);
    EXPECT_EQ(Segment::open(name_).error().code(), ErrorCode::no_space);
  }
  EXPECT_TRUE(Segment::open(name_));
}

TEST_F(SegmentsTest, ResultsCarryAValueOrAnError) {
  const Result<int> good = 3;
  EXPECT_TRUE(good);
  EXPECT_EQ(*good, 3);
  EXPECT_EQ(good.value(), 3);
  const Result<int> bad = Error(ErrorCode::busy, "why");
  EXPECT_FALSE(bad);
  EXPECT_EQ(bad.error().code(), ErrorCode::busy);
  try {
    (void)bad.value();
    FAIL() << "value() of an error throws";
  } catch (const BadResult& thrown) {
    EXPECT_STREQ(thrown.what(), "why");
    EXPECT_EQ(thrown.code(), ErrorCode::busy);
  }
}

}  // namespace
}  // namespace shmq::test
