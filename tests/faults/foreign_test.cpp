// Files that are no segments of this program: other versions, truncated, garbage, empty, copies. And names
// that can't be.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "shmq/layout/segment_header.hpp"
#include "support.hpp"

namespace faults {
namespace {

namespace fs = std::filesystem;
using shmq::ErrorCode;
using shmq::layout::SegmentHeader;
using namespace std::string_literals;

/// Creates a segment, lets nobody use it, and changes its header.
void make_and_patch(const Name& name, const std::function<void(SegmentHeader&)>& patch) {
  ASSERT_TRUE(shmq::Segment::create(name, {.size_bytes = 1u << 20}));
  const int file = ::open(name.path().c_str(), O_RDWR);
  ASSERT_GE(file, 0);
  void* const mapped = ::mmap(nullptr, sizeof(SegmentHeader), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  ASSERT_NE(mapped, MAP_FAILED);
  patch(*static_cast<SegmentHeader*>(mapped));
  ::munmap(mapped, sizeof(SegmentHeader));
  ::close(file);
}

void expect_refused(const Name& name, ErrorCode code, std::initializer_list<std::string> words) {
  const auto opened = shmq::Segment::open(name);
  ASSERT_FALSE(opened);
  std::printf("%s\n", opened.error().message().c_str());
  EXPECT_EQ(opened.error().code(), code) << opened.error();
  for (const std::string& word : words)
    EXPECT_NE(opened.error().message().find(word), std::string::npos)
        << "no \"" << word << "\" in " << opened.error();
  // The name is taken all the same, and can be freed.
  const auto made = shmq::Segment::create(name, {.size_bytes = 1u << 20});
  EXPECT_TRUE(!made && made.error().code() == ErrorCode::already_exists);
  const auto removed = shmq::Segment::remove(name);
  EXPECT_TRUE(removed) << removed.error();
  EXPECT_TRUE(shmq::Segment::create(name, {.size_bytes = 1u << 20}));
}

TEST(ForeignSegment, OfAnotherLayoutVersionIsIncompatibleAndBothVersionsAreNamed) {
  const Name name("version");
  make_and_patch(name, [](SegmentHeader& h) {
    h.layout_version = 7;
    std::memcpy(h.build_id, "9.9.9-future", 13);
  });
  expect_refused(name, ErrorCode::incompatible, {"version 7", "version 1", "9.9.9-future", name.text()});
}

TEST(ForeignSegment, WithFeaturesThatThisProgramDoesNotKnowIsIncompatible) {
  const Name name("features");
  make_and_patch(name, [](SegmentHeader& h) { h.features = 4; });
  expect_refused(name, ErrorCode::incompatible, {"features"});
}

TEST(ForeignSegment, WithADamagedHeaderIsCorrupt) {
  const Name name("damaged");
  make_and_patch(name, [](SegmentHeader& h) { h.block_words_offset += 8; });
  expect_refused(name, ErrorCode::corrupt, {"damaged"});
  (void)shmq::Segment::remove(name);
  make_and_patch(name, [](SegmentHeader& h) { h.participants_max = 4000; });
  expect_refused(name, ErrorCode::corrupt, {"damaged"});
}

TEST(ForeignFile, TruncatedIsCorrupt) {
  const Name name("truncated");
  ASSERT_TRUE(shmq::Segment::create(name, {.size_bytes = 1u << 20}));
  ASSERT_EQ(::truncate(name.path().c_str(), 65536), 0);
  expect_refused(name, ErrorCode::corrupt, {"65536", "1048576"});
}

TEST(ForeignFile, ShorterThanAHeaderIsNoSegment) {
  const Name name("short");
  ASSERT_TRUE(shmq::Segment::create(name, {.size_bytes = 1u << 20}));
  ASSERT_EQ(::truncate(name.path().c_str(), 100), 0);
  expect_refused(name, ErrorCode::incompatible, {"100 B", "not a shmq segment"});
}

TEST(ForeignFile, OfZeroBytesIsNoSegment) {
  const Name name("empty");
  std::ofstream(name.path()).flush();
  expect_refused(name, ErrorCode::incompatible, {"empty"});
}

TEST(ForeignFile, OfGarbageIsNoSegment) {
  const Name name("garbage");
  std::ofstream(name.path()) << std::string(100'000, 'x');
  expect_refused(name, ErrorCode::incompatible, {"magic"});
}

TEST(ForeignFile, ThatIsADirectoryOrALinkIsRefused) {
  const Name name("directory"), target("target");
  ASSERT_EQ(::mkdir(name.path().c_str(), 0700), 0);
  EXPECT_FALSE(shmq::Segment::open(name));
  EXPECT_FALSE(shmq::Segment::create(name, {.size_bytes = 1u << 20}));
  EXPECT_FALSE(shmq::Segment::remove(name));
  ::rmdir(name.path().c_str());
}

TEST(CopiedSegment, IsKnownAsACopy) {
  const Name name("original"), copy("copy");
  auto original = shmq::Segment::create(name, {.size_bytes = 1u << 20}).value();
  auto queue = queue_of(original, "q", {.capacity = 4});
  fs::copy_file(name.path(), copy.path());
  expect_refused(copy, ErrorCode::incompatible, {"copy"});
  // Removing the copy did nothing to the original.
  EXPECT_EQ(queue.producer().try_send(bytes_of("x")), shmq::Outcome::ok);
}

TEST(CopiedSegment, PutInTheOriginalsPlaceIsKnownAsACopy) {
  const Name name("restored"), copy("saved");
  ASSERT_TRUE(shmq::Segment::create(name, {.size_bytes = 1u << 20}));
  fs::copy_file(name.path(), copy.path());
  ASSERT_TRUE(shmq::Segment::remove(name));
  ASSERT_EQ(::rename(copy.path().c_str(), name.path().c_str()), 0);
  expect_refused(name, ErrorCode::incompatible, {"copy"});
}

class Names : public ::testing::TestWithParam<std::string> {};

TEST_P(Names, ThatCantBeAreRefusedBySegmentsAndQueues) {
  const std::string& bad = GetParam();
  const Name name("names");
  auto segment = shmq::Segment::create(name, {.size_bytes = 1u << 20}).value();
  const auto files = shm_files("");
  for (const shmq::Error& error :
       {shmq::Segment::create(bad).error(), shmq::Segment::open(bad).error(),
        shmq::Segment::open_or_create(bad).error(), shmq::Segment::remove(bad).error(),
        segment.queue(bad).error(), segment.open_queue(bad).error(), segment.remove_queue(bad).error()}) {
    EXPECT_EQ(error.code(), ErrorCode::invalid_argument) << error;
    EXPECT_NE(error.message().find("letters, digits"), std::string::npos) << error;
    EXPECT_EQ(error.message().find('\n'), std::string::npos);
    EXPECT_LT(error.message().size(), 300u);
  }
}

INSTANTIATE_TEST_SUITE_P(All, Names,
                         ::testing::Values("", "/", "a/b", "/a", "a/", "..", ".hidden", "../../etc/passwd",
                                           "with space", " ", "-option", "tab\there", "new\nline",
                                           "null\0byte"s, "\x1b[31m", "gr\xc3\xbc\xc3\x9f", "\xff\xfe",
                                           std::string(300, 'x'), std::string(100'000, 'y'), "a*", "a?b",
                                           "%s%n", "a:b"));

TEST(LongNames, ThatAreAsLongAsTheyMayBeWork) {
  const std::string longest(200, 's');
  (void)shmq::Segment::remove(longest);
  auto segment = shmq::Segment::create(longest, {.size_bytes = 1u << 20});
  ASSERT_TRUE(segment) << segment.error();
  EXPECT_TRUE(segment->queue(std::string(63, 'q'), {.capacity = 4}));
  EXPECT_TRUE(segment->open_queue(std::string(63, 'q')));
  EXPECT_FALSE(segment->queue(std::string(64, 'q'), {.capacity = 4}));
  EXPECT_TRUE(shmq::Segment::remove(longest));
  EXPECT_FALSE(shmq::Segment::create(std::string(201, 's')));
}

}  // namespace
}  // namespace faults
