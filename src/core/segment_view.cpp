#include "shmq/core/segment_view.hpp"

#include <algorithm>
#include <cstring>

#include "base/text.hpp"

namespace shmq::core {

using layout::kPageBytes;

namespace {

std::uint64_t round_up(std::uint64_t value, std::uint64_t step) { return (value + step - 1) / step * step; }

std::uint64_t block_bytes(std::uint64_t asked) {
  return round_up(asked, asked >= kPageBytes ? kPageBytes : layout::kBlockAlignment);
}

Error out_of_range(const std::string& what, std::uint64_t value, std::uint64_t low, std::uint64_t high) {
  return Error(ErrorCode::invalid_argument, what + " is " + std::to_string(value) + "; it must be " +
                                                std::to_string(low) + " to " + std::to_string(high));
}

Status check_blocks(const std::vector<BlockClass>& blocks) {
  if (blocks.size() > layout::kBlockClassesMax)
    return out_of_range("the number of block classes", blocks.size(), 0, layout::kBlockClassesMax);
  std::uint64_t count = 0, before = 0;
  for (const BlockClass& c : blocks) {
    if (c.bytes == 0 || c.bytes > (std::uint64_t{1} << 29))
      return out_of_range("a block's size", c.bytes, 1, 1u << 29);
    if (c.count == 0)
      return Error(ErrorCode::invalid_argument, "a block class has no blocks; leave it out instead");
    if (block_bytes(c.bytes) <= before)
      return Error(ErrorCode::invalid_argument,
                   "block classes must grow: " + base::size_text(block_bytes(c.bytes)) +
                       " does not come after " + base::size_text(before));
    before = block_bytes(c.bytes);
    count += c.count;
  }
  if (count > layout::kBlocksMax) return out_of_range("the number of blocks", count, 0, layout::kBlocksMax);
  return Done{};
}

/// Offsets of all tables and blocks; the object area is what is left of `size_bytes`.
Geometry place(const SegmentOptions& options, const std::vector<BlockClass>& blocks,
               std::uint64_t size_bytes) {
  Geometry g;
  g.size_bytes = size_bytes;
  g.participants_max = options.participants_max;
  g.rows = options.participants_max + 1;
  g.objects_max = options.objects_max;
  g.participants_offset = sizeof(layout::SegmentHeader);
  g.directory_offset = g.participants_offset + g.rows * sizeof(layout::ParticipantRow);
  g.users_offset = g.directory_offset + g.objects_max * sizeof(layout::DirectoryEntry);
  g.units_offset = round_up(g.users_offset + std::uint64_t{g.objects_max} * ((g.rows + 63) / 64) * 8,
                            layout::kFalseSharingBytes);
  for (const BlockClass& c : blocks) {
    g.classes[g.class_count++] = {block_bytes(c.bytes), 0, c.count, g.block_count};
    g.block_count += c.count;
  }
  // One unit word for each unit that could be there; what the tables themselves take is left unused.
  g.unit_count = size_bytes / layout::kUnitBytes;
  g.block_words_offset = round_up(g.units_offset + g.unit_count * 8, layout::kFalseSharingBytes);
  std::uint64_t end = round_up(g.block_words_offset + std::uint64_t{g.block_count} * 8, kPageBytes);
  for (std::uint32_t i = 0; i < g.class_count; ++i) {
    g.classes[i].data_offset = end;
    end = round_up(end + g.classes[i].block_bytes * g.classes[i].count, kPageBytes);
  }
  g.objects_offset = end;
  g.unit_count = size_bytes > end ? (size_bytes - end) / layout::kUnitBytes : 0;
  return g;
}

}  // namespace

bool Geometry::operator==(const Geometry& other) const {
  const auto same = [](const layout::BlockClassGeometry& a, const layout::BlockClassGeometry& b) {
    return a.block_bytes == b.block_bytes && a.data_offset == b.data_offset && a.count == b.count &&
           a.first_index == b.first_index;
  };
  return size_bytes == other.size_bytes && participants_max == other.participants_max &&
         objects_max == other.objects_max && participants_offset == other.participants_offset &&
         directory_offset == other.directory_offset && users_offset == other.users_offset &&
         units_offset == other.units_offset && unit_count == other.unit_count &&
         block_words_offset == other.block_words_offset && objects_offset == other.objects_offset &&
         std::equal(block_classes().begin(), block_classes().end(), other.block_classes().begin(),
                    other.block_classes().end(), same);
}

std::vector<BlockClass> default_blocks(std::uint64_t size_bytes) {
  std::vector<BlockClass> blocks;
  for (const std::uint64_t bytes :
       {std::uint64_t{4} << 10, std::uint64_t{64} << 10, std::uint64_t{1} << 20}) {
    const std::uint64_t count = std::min<std::uint64_t>(size_bytes / 8 / bytes, layout::kBlocksMax / 4);
    if (count >= 2) blocks.push_back({bytes, static_cast<std::uint32_t>(count)});
  }
  return blocks;
}

std::uint64_t fixed_bytes(const SegmentOptions& options, const std::vector<BlockClass>& blocks) {
  return place(options, blocks, 0).objects_offset;
}

Result<Geometry> lay_out(const SegmentOptions& options) {
  if (options.participants_max < 1 || options.participants_max > layout::kParticipantsMax)
    return out_of_range("participants_max", options.participants_max, 1, layout::kParticipantsMax);
  if (options.objects_max < 1 || options.objects_max > layout::kObjectsMax)
    return out_of_range("objects_max", options.objects_max, 1, layout::kObjectsMax);
  if (options.mode > 0777 || (options.mode & 0600) != 0600)
    return Error(ErrorCode::invalid_argument,
                 "the mode must be an octal number up to 0777 that lets its owner read and write");
  if (options.size_bytes > (std::uint64_t{1} << 46))
    return out_of_range("size_bytes", options.size_bytes, 1, std::uint64_t{1} << 46);
  const std::uint64_t size = round_up(options.size_bytes, kPageBytes);
  const std::vector<BlockClass> blocks = options.blocks ? *options.blocks : default_blocks(size);
  if (Status checked = check_blocks(blocks); !checked) return checked.error();
  const Geometry g = place(options, blocks, size);
  if (g.unit_count == 0)
    return Error(ErrorCode::invalid_argument,
                 "a segment of " + base::size_text(size) + " is too small: tables for " +
                     std::to_string(options.participants_max) + " participants and " +
                     std::to_string(options.objects_max) + " objects and the blocks take " +
                     base::size_text(g.objects_offset) + "; ask for more than that");
  return g;
}

Result<SegmentView> SegmentView::check(std::byte* base, std::uint64_t mapped_bytes,
                                       const std::string& shown) {
  const auto refuse = [&](ErrorCode code, const std::string& why) { return Error(code, shown + " " + why); };
  if (mapped_bytes < sizeof(layout::SegmentHeader))
    return refuse(ErrorCode::incompatible,
                  "is " + base::size_text(mapped_bytes) + " long: not a shmq segment");
  SegmentView view;
  view.base_ = base;
  // One reading of what is written once: a hostile writer may change it while it is being checked.
  alignas(layout::SegmentHeader) std::byte copy[sizeof(layout::SegmentHeader)] = {};
  std::memcpy(copy, base, offsetof(layout::SegmentHeader, state));
  asm volatile("" : : "r"(copy) : "memory");  // the compiler may not go back to the segment
  const layout::SegmentHeader& h = *reinterpret_cast<const layout::SegmentHeader*>(copy);
  if (h.magic != layout::kSegmentMagic)
    return refuse(ErrorCode::incompatible, "is not a shmq segment (wrong magic number)");
  if (h.layout_version != layout::kLayoutVersion || h.header_bytes != sizeof(layout::SegmentHeader)) {
    // Whoever wrote it may have written what a terminal obeys.
    const std::string build = base::printable({h.build_id, ::strnlen(h.build_id, sizeof h.build_id)});
    return refuse(ErrorCode::incompatible,
                  "has layout version " + std::to_string(h.layout_version) + " (made by shmq " + build +
                      "), this program knows version " + std::to_string(layout::kLayoutVersion) +
                      " (shmq " SHMQ_BUILD_ID "): use programs of one version, or remove the segment");
  }
  if (const std::uint64_t unknown = h.features & ~layout::kKnownFeatures; unknown != 0)
    return refuse(ErrorCode::incompatible, "uses features that this program does not know (bits " +
                                               std::to_string(unknown) + "): upgrade this program");

  SegmentOptions declared;
  declared.size_bytes = h.size_bytes;
  declared.participants_max = h.participants_max;
  declared.objects_max = h.objects_max;
  const auto corrupt = [&](const std::string& why) {
    return refuse(ErrorCode::corrupt,
                  "has a damaged header (" + why + "): remove it (shmq rm) and create it again");
  };
  if (h.size_bytes != mapped_bytes)
    return corrupt("it says " + std::to_string(h.size_bytes) + " bytes, the file has " +
                   std::to_string(mapped_bytes));
  if (h.class_count > layout::kBlockClassesMax) return corrupt("block classes");
  std::vector<BlockClass> blocks;
  for (std::uint32_t i = 0; i < h.class_count; ++i)
    blocks.push_back({h.classes[i].block_bytes, h.classes[i].count});
  declared.blocks = blocks;
  const Result<Geometry> expected = lay_out(declared);
  if (!expected) return corrupt(expected.error().message());

  Geometry found = *expected;
  found.participants_offset = h.participants_offset;
  found.directory_offset = h.directory_offset;
  found.users_offset = h.users_offset;
  found.units_offset = h.units_offset;
  found.unit_count = h.unit_count;
  found.block_words_offset = h.block_words_offset;
  found.objects_offset = h.objects_offset;
  for (std::uint32_t i = 0; i < h.class_count; ++i) found.classes[i] = h.classes[i];
  // The header may be hostile and change while it is read: what is kept is what was computed, not what was
  // found.
  if (!(found == *expected) || h.block_count != expected->block_count) return corrupt("offsets");
  view.geometry_ = *expected;
  return view;
}

}  // namespace shmq::core
