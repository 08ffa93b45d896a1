// A mapped segment whose geometry was checked once and copied out of shared memory: nothing here reads an
// offset or a count from the segment again, so a segment that changes under its users cannot lead them
// outside it.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

#include "shmq/layout/segment_header.hpp"
#include "shmq/options.hpp"
#include "shmq/result.hpp"

namespace shmq::core {

/// Where everything lies in a segment; the same calculation creates, checks and plans.
struct Geometry {
  std::uint64_t size_bytes = 0;
  std::uint32_t participants_max = 0;
  std::uint32_t rows = 0;  // participants_max and the spare one (core/participants.hpp)
  std::uint32_t objects_max = 0;
  std::uint64_t participants_offset = 0;
  std::uint64_t directory_offset = 0;
  std::uint64_t users_offset = 0;
  std::uint64_t units_offset = 0;
  std::uint64_t unit_count = 0;
  std::uint64_t block_words_offset = 0;
  std::uint64_t objects_offset = 0;
  std::uint32_t block_count = 0;
  std::uint32_t class_count = 0;
  std::array<layout::BlockClassGeometry, layout::kBlockClassesMax> classes{};

  bool operator==(const Geometry& other) const;
  std::span<const layout::BlockClassGeometry> block_classes() const { return {classes.data(), class_count}; }
};

/// Lays a segment out. Errors say which number is out of range and what would fit.
Result<Geometry> lay_out(const SegmentOptions& options);
/// The blocks that SegmentOptions::blocks stands for where it is not set.
std::vector<BlockClass> default_blocks(std::uint64_t size_bytes);
/// Everything a segment needs besides its objects and the units table: tables and blocks.
std::uint64_t fixed_bytes(const SegmentOptions& options, const std::vector<BlockClass>& blocks);

class SegmentView {
 public:
  SegmentView() = default;
  /// Checks every byte of the header against what it can be. `shown` names the segment in messages.
  static Result<SegmentView> check(std::byte* base, std::uint64_t mapped_bytes, const std::string& shown);

  std::byte* base() const { return base_; }
  const Geometry& geometry() const { return geometry_; }
  layout::SegmentHeader& header() const { return *at<layout::SegmentHeader>(0); }
  layout::ParticipantRow& row(std::uint32_t index) const {
    return at<layout::ParticipantRow>(geometry_.participants_offset)[index];
  }
  layout::DirectoryEntry& entry(std::uint32_t index) const {
    return at<layout::DirectoryEntry>(geometry_.directory_offset)[index];
  }
  std::uint32_t user_words() const { return (geometry_.rows + 63) / 64; }
  /// The word of entry `index`'s user bitmap that holds the bit of `row`; the bit is 1 << (row % 64).
  layout::Word& users(std::uint32_t index, std::uint32_t row) const {
    return at<layout::Word>(geometry_.users_offset)[std::uint64_t{index} * user_words() + row / 64];
  }
  layout::Word& unit(std::uint64_t index) const { return at<layout::Word>(geometry_.units_offset)[index]; }
  layout::Word& block_word(std::uint32_t index) const {
    return at<layout::Word>(geometry_.block_words_offset)[index];
  }
  /// The bytes of a block; empty where the index is out of range.
  std::span<std::byte> block(std::uint32_t index) const {
    for (const auto& c : geometry_.block_classes())
      if (index - c.first_index < c.count)
        return {base_ + c.data_offset + std::uint64_t{index - c.first_index} * c.block_bytes, c.block_bytes};
    return {};
  }
  std::uint64_t largest_block() const {
    return geometry_.class_count == 0 ? 0 : geometry_.classes[geometry_.class_count - 1].block_bytes;
  }
  bool removed() const {
    return header().state.load(std::memory_order_acquire) !=
           static_cast<std::uint64_t>(layout::SegmentState::live);
  }

  template <class T>
  T* at(std::uint64_t offset) const {
    return reinterpret_cast<T*>(base_ + offset);
  }

 private:
  std::byte* base_ = nullptr;
  Geometry geometry_;
};

}  // namespace shmq::core
