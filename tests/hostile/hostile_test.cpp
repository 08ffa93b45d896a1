// Hostile bytes in every field of a segment, and the library at work on it: an error or wrong content is fine; a crash,
// a hang, an access outside the mapping or what a sanitizer reports is not. Each case runs in a process of its own.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "guard_mmap.hpp"
#include "shmq/core/attachment.hpp"
#include "watch.hpp"

namespace hostile {
namespace {

bool is_long() {
  const char* const asked = std::getenv("SHMQ_LONG");
  return asked != nullptr && std::string(asked) == "1";
}

void run(Manner manner, std::uint64_t count, std::uint64_t stride = 1) {
  int bad = 0;
  for (std::uint64_t i = 0; i < count && bad < 5; ++i) {
    const std::uint64_t seed = i * stride;
    const std::string wrong = watch_case(manner, seed);
    if (wrong.empty()) continue;
    ++bad;
    ADD_FAILURE() << to_string(manner) << ":" << seed << " " << wrong;
  }
  std::printf("%llu cases\n", static_cast<unsigned long long>(count));
}

std::uint64_t slice(std::uint64_t few) { return is_long() ? few * 100 : few; }

TEST(HostileBytes, ThatAreThereBeforeTheSegmentIsOpened) { run(Manner::before, slice(1500)); }
TEST(HostileBytes, ThatComeUnderOpenHandles) { run(Manner::under, slice(1500)); }
TEST(HostileBytes, InEachFieldAtItsExtremes) { 
  // The stride has no factor in common with the number of extremes: all fields and all extremes have their turn.
  const std::uint64_t stride = is_long() ? 1 : 3;
  run(Manner::extremes, extremes_count() / stride, stride);
 }
TEST(HostileBytes, ThatChangeBetweenCheckAndUse) { run(Manner::meanwhile, slice(300)); }
TEST(HostileBytes, OfOneWordThatNeverStandsStill) { run(Manner::flicker, slice(300)); }
TEST(HostileBytes, InCopiesThatAreInspected) { run(Manner::copies, slice(500)); }
TEST(HostileBytes, BeforeThePrograms) {
#ifndef SHMQ_STAT
  GTEST_SKIP() << "built without the programs";
#endif
  run(Manner::programs, slice(60));
}

// The watch itself must be able to see what it is there for.

TEST(Watch, SaysNothingOfACaseThatEnds) {
  EXPECT_EQ(watch([](Progress&) { return std::string(); }), "");
  EXPECT_EQ(watch([](Progress&) { return std::string("something"); }).substr(0, 9), "something");
}

TEST(Watch, NoticesACrash) {
  const std::string said = watch([](Progress& progress) -> std::string {
    progress.operation = "the operation";
    ::raise(SIGSEGV);
    return {};
  });
  EXPECT_NE(said.find("killed by"), std::string::npos) << said;
  EXPECT_NE(said.find("the operation"), std::string::npos) << said;
}

TEST(Watch, NoticesAHang) {
  set_patience(1);
  const std::string said = watch([](Progress&) -> std::string {
    for (;;) asm volatile("pause");
  });
  set_patience(kPatienceSeconds);
  EXPECT_NE(said.find("hangs"), std::string::npos) << said;
}

TEST(Watch, NoticesAnAllocationByAHostileCount) {
  const std::string said = watch([](Progress&) -> std::string {
    const std::vector<std::byte> bytes(std::size_t{1} << 30);
    asm volatile("" : : "r"(bytes.data()) : "memory");
    return {};
  });
  EXPECT_NE(said, "");
}

/// Reads one byte at `distance` from the begin of a mapped segment.
std::string read_beside(std::int64_t distance) {
  (void)sound_image();
  return watch([=](Progress&) -> std::string {
    const LiveCopy live("hostile-guard-" + std::to_string(::getpid()), sound_image());
    const auto attachment = shmq::core::Attachment::open(live.name(), {}).value();
    if (!is_guarded(attachment->view().base())) return "not guarded";
    live.unlink();  // a crash leaves nothing behind
    const auto* const byte = reinterpret_cast<volatile std::byte*>(attachment->view().base()) + distance;
    return *byte == std::byte{1} ? "one" : "";
  });
}

TEST(Watch, NoticesAReadJustBesideTheSegmentAndFarFromIt) {
  const auto size = static_cast<std::int64_t>(sound_image().bytes.size());
  EXPECT_EQ(read_beside(0), "");
  EXPECT_EQ(read_beside(size - 1), "");
  for (const std::int64_t distance : {std::int64_t{-1}, size, size + 4096, std::int64_t{1} << 32, -(std::int64_t{1} << 35)})
    EXPECT_NE(read_beside(distance).find("killed by"), std::string::npos) << distance;
}

}  // namespace
}  // namespace hostile
