// Geometry: what is laid out lies inside, apart and aligned; what cannot be is refused; a header that says
// otherwise is refused too. And the planner, which uses the same calculation.
#include "shmq/core/segment_view.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>

#include "support.hpp"

namespace shmq::core {
namespace {

using layout::SegmentHeader;

void expect_sound(const Geometry& g) {
  std::uint64_t end = sizeof(SegmentHeader);
  const auto next = [&](std::uint64_t offset, std::uint64_t bytes, std::uint64_t alignment) {
    EXPECT_GE(offset, end);
    EXPECT_EQ(offset % alignment, 0u);
    end = offset + bytes;
    EXPECT_LE(end, g.size_bytes);
  };
  EXPECT_EQ(g.rows, g.participants_max + 1);
  next(g.participants_offset, g.rows * sizeof(layout::ParticipantRow), 128);
  next(g.directory_offset, g.objects_max * sizeof(layout::DirectoryEntry), 128);
  next(g.users_offset, std::uint64_t{g.objects_max} * ((g.rows + 63) / 64) * 8, 8);
  next(g.units_offset, g.unit_count * 8, 128);
  next(g.block_words_offset, g.block_count * 8, 128);
  std::uint32_t blocks = 0;
  for (const auto& c : g.block_classes()) {
    EXPECT_EQ(c.first_index, blocks);
    EXPECT_EQ(c.block_bytes % (c.block_bytes >= 4096 ? 4096 : 64), 0u);
    next(c.data_offset, c.block_bytes * c.count, 4096);
    blocks += c.count;
  }
  EXPECT_EQ(blocks, g.block_count);
  next(g.objects_offset, g.unit_count * layout::kUnitBytes, 4096);
}

TEST(Geometry, OfAllKindsOfSegmentsIsSound) {
  for (const std::uint64_t size : {std::uint64_t{200'000}, std::uint64_t{1} << 20, std::uint64_t{64} << 20,
                                   std::uint64_t{3'333'333'333}})
    for (const std::uint32_t participants : {1u, 63u, 64u, 200u})
      for (const std::uint32_t objects : {1u, 128u}) {
        const auto g =
            lay_out({.size_bytes = size, .participants_max = participants, .objects_max = objects});
        ASSERT_TRUE(g) << g.error();
        EXPECT_GE(g->size_bytes, size);
        expect_sound(*g);
      }
  const auto g =
      lay_out({.size_bytes = 64u << 20, .blocks = {{{1, 3}, {65, 5}, {4000, 7}, {4097, 2}, {1u << 20, 9}}}});
  ASSERT_TRUE(g) << g.error();
  expect_sound(*g);
  EXPECT_EQ(g->classes[0].block_bytes, 64u);
  EXPECT_EQ(g->classes[3].block_bytes, 8192u);
}

TEST(Geometry, RefusesWhatCannotBeAndNamesTheNumber) {
  const auto refused = [](const SegmentOptions& options, const std::string& words) {
    const auto g = lay_out(options);
    ASSERT_FALSE(g);
    EXPECT_EQ(g.error().code(), ErrorCode::invalid_argument);
    EXPECT_NE(g.error().message().find(words), std::string::npos) << g.error();
  };
  refused({.participants_max = 0}, "participants_max is 0");
  refused({.participants_max = 4095}, "4094");
  refused({.objects_max = 0}, "objects_max");
  refused({.objects_max = 4096}, "4095");
  refused({.size_bytes = 0}, "too small");
  refused({.size_bytes = 4096}, "too small");
  refused({.size_bytes = ~std::uint64_t{0}}, "size_bytes");
  refused({.mode = 0400}, "mode");
  refused({.mode = 01777}, "mode");
  refused({.blocks = {{{0, 1}}}}, "a block's size");
  refused({.blocks = {{{64, 0}}}}, "no blocks");
  refused({.blocks = {{{64, 1}, {64, 1}}}}, "grow");
  refused({.blocks = {{{4096, 1}, {64, 1}}}}, "grow");
  refused({.blocks = {{{(1u << 29) + 1, 1}}}}, "a block's size");
  refused({.blocks = {{{64, 1u << 24}}}}, "number of blocks");
  refused({.blocks = {std::vector<BlockClass>(9, {64, 1})}}, "block classes");
}

TEST(SegmentView, FindsNoBlockBeyondTheLast) {
  auto segment = Segment::create("unit-view", {.size_bytes = 1u << 20, .blocks = {{{64, 3}, {4096, 2}}}});
  const auto attachment = Attachment::open("unit-view", {}).value();
  const SegmentView& view = attachment->view();
  for (std::uint32_t i = 0; i < 5; ++i) {
    ASSERT_EQ(view.block(i).size(), i < 3 ? 64u : 4096u);
    EXPECT_GE(view.block(i).data(), view.base());
    EXPECT_LE(view.block(i).data() + view.block(i).size(), view.base() + view.geometry().size_bytes);
    if (i > 0) {
      EXPECT_GE(view.block(i).data(), view.block(i - 1).data() + view.block(i - 1).size());
    }
  }
  for (const std::uint32_t index : {5u, 6u, 0xffffffu, ~0u}) EXPECT_TRUE(view.block(index).empty());
  (void)Segment::remove("unit-view");
}

TEST(SegmentView, RefusesEveryHeaderWordThatIsNotWhatItShouldBe) {
  const std::string name = "unit-header";
  (void)Segment::remove(name);
  const auto attachment =
      Attachment::create(name, {.size_bytes = 1u << 20, .blocks = {{{4096, 4}, {8192, 2}, {16384, 1}}}}, {})
          .value();
  const std::uint64_t size = attachment->view().geometry().size_bytes;
  std::vector<std::byte> copy(attachment->view().base(), attachment->view().base() + size);
  ASSERT_TRUE(SegmentView::check(copy.data(), size, "it"));
  // From size_bytes to the end of the block classes; without times and pids, which mean nothing to it.
  for (std::size_t at = 0; at < offsetof(SegmentHeader, classes) + 3 * sizeof(layout::BlockClassGeometry);
       ++at) {
    const bool counts =
        at < 24 || (at >= offsetof(SegmentHeader, size_bytes) && at < offsetof(SegmentHeader, created_ns)) ||
        at >= offsetof(SegmentHeader, participants_max);
    for (const unsigned change : {0x01u, 0x80u, 0xffu}) {
      const std::byte old = copy[at];
      copy[at] ^= static_cast<std::byte>(change);
      EXPECT_EQ(static_cast<bool>(SegmentView::check(copy.data(), size, "it")), !counts) << "byte " << at;
      copy[at] = old;
    }
  }
  EXPECT_FALSE(SegmentView::check(copy.data(), size - 4096, "it"));
  EXPECT_FALSE(SegmentView::check(copy.data(), 4095, "it"));
  (void)Segment::remove(name);
}

TEST(SegmentView, ShowsNoByteOfAForeignHeaderThatATerminalWouldObey) {
  const std::string name = "unit-build-id";
  (void)Segment::remove(name);
  const auto attachment = Attachment::create(name, {.size_bytes = 1u << 20}, {}).value();
  std::vector<std::byte> copy(attachment->view().base(), attachment->view().base() + (1u << 20));
  auto& header = *reinterpret_cast<SegmentHeader*>(copy.data());
  header.layout_version = 77;
  std::strcpy(header.build_id, "\x1b[2J\xff");
  const std::string said = SegmentView::check(copy.data(), copy.size(), "it").error().message();
  EXPECT_NE(said.find("made by shmq \\x1b[2J\\xff"), std::string::npos) << said;
  for (const char c : said) EXPECT_TRUE(c >= 0x20 && c < 0x7f) << said;
  (void)Segment::remove(name);
}

TEST(CapacityPlan, HoldsExactlyWhatWasPlanned) {
  struct Case {
    std::vector<QueueOptions> queues;
    std::vector<BlockClass> blocks;
  };
  for (const Case& c : {Case{{}, {}}, Case{{{.capacity = 1024, .slot_bytes = 64}}, {{64 << 10, 256}}},
                        Case{{{.capacity = 2},
                              {.capacity = 1 << 16, .slot_bytes = 256},
                              {.capacity = 100, .slot_bytes = 128, .metadata = true}},
                             {{1u << 20, 3}, {100, 10}}}}) {
    CapacityPlan plan(8, 16);
    for (const auto& q : c.queues) plan.queue(q);
    for (const auto& b : c.blocks) plan.blocks(b.bytes, b.count);
    const auto options = plan.options();
    ASSERT_TRUE(options) << options.error();
    EXPECT_EQ(*plan.size_bytes(), options->size_bytes);
    (void)Segment::remove("unit-plan");
    auto segment = Segment::create("unit-plan", *options);
    ASSERT_TRUE(segment) << segment.error();
    int number = 0;
    for (const auto& q : c.queues) {
      auto made = segment->queue("q" + std::to_string(number++), q);
      EXPECT_TRUE(made) << made.error();
    }
    const auto attachment = Attachment::open("unit-plan", {}).value();
    std::uint64_t free = 0;
    for (std::uint64_t i = 0; i < attachment->view().geometry().unit_count; ++i)
      free += attachment->view().unit(i) == 0;
    EXPECT_LE(free, 4u) << "it is not larger than it has to be";
    (void)Segment::remove("unit-plan");
  }
}

TEST(CapacityPlan, SaysInOneSentenceWhatIsNeededAndWhatThereIs) {
  const std::string text =
      CapacityPlan().queue({.capacity = 1024, .slot_bytes = 64}).blocks(64 << 10, 256).text();
  EXPECT_EQ(text.find("1024 slots of 64 B and 256 blocks of 64 KiB need 16."), 0u) << text;
  EXPECT_NE(text.find("; /dev/shm has "), std::string::npos) << text;
  EXPECT_FALSE(CapacityPlan().queue({.capacity = 0}).options());
  EXPECT_FALSE(CapacityPlan().blocks(64, 0).options());
  EXPECT_FALSE(CapacityPlan(0).options());
  EXPECT_EQ(CapacityPlan().queue({.capacity = 0}).text().find("a queue's capacity is 0"), 0u);
}

}  // namespace
}  // namespace shmq::core
