// The words of a byte ring as they lie in shared memory: what SpscProducer and SpscConsumer run on outside of tests.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "shmq/base/fence.hpp"
#include "shmq/layout/spsc_header.hpp"

namespace shmq::core {

class ShmSpscMemory {
 public:
  ShmSpscMemory() = default;
  /// The ring and its size must have been checked against the object's space.
  ShmSpscMemory(layout::SpscHeader* header, std::byte* ring, unsigned ring_log2)
      : header_(header), ring_(ring), mask_((std::uint64_t{1} << ring_log2) - 1) {}

  layout::Word& producer() const { return header_->producer; }
  layout::Word& tail() const { return header_->tail; }
  layout::Word& settled() const { return header_->settled; }
  layout::Word& consumer() const { return header_->consumer; }
  layout::Word& received() const { return header_->received; }
  layout::Word& released() const { return header_->released; }
  layout::Word& head() const { return header_->head; }
  layout::Word& last() const { return header_->last; }
  layout::Word& state() const { return header_->state; }
  layout::Word& word(std::uint64_t position) const { return record(position).word; }
  layout::Word& extent(std::uint64_t position) const { return record(position).extent; }
  std::uint64_t ring_bytes() const { return mask_ + 1; }
  void fence() const { base::fence(std::memory_order_seq_cst); }

  layout::SpscHeader& header() const { return *header_; }
  layout::RecordHeader& record(std::uint64_t position) const {
    return *reinterpret_cast<layout::RecordHeader*>(at(position));
  }
  std::byte* at(std::uint64_t position) const { return ring_ + (position & mask_); }

  /// Measured with 16 to 4096: from 256 on a round trip at 64 B no longer waits for a second line; with more it waits
  /// for the clearing.
  static constexpr std::uint64_t kStride = 256;
  void clear(std::uint64_t position, std::uint64_t bytes) const {
    const std::uint64_t first = std::min(bytes, ring_bytes() - (position & mask_));
    std::memset(at(position), 0, first);
    if (first < bytes) std::memset(ring_, 0, bytes - first);
  }

 private:
  layout::SpscHeader* header_ = nullptr;
  std::byte* ring_ = nullptr;
  std::uint64_t mask_ = 0;
};

}  // namespace shmq::core
