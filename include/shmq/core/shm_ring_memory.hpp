// The words of a ring as they lie in shared memory: what MpmcRing runs on outside of tests.
#pragma once

#include <cstddef>
#include <cstdint>

#include "shmq/layout/queue_header.hpp"

namespace shmq::core {

class ShmRingMemory {
 public:
  ShmRingMemory() = default;
  /// The offsets must have been checked against the object's space.
  ShmRingMemory(layout::QueueHeader* header, unsigned capacity_log2, std::uint32_t slot_bytes,
                layout::Word* producer_trail, layout::Word* consumer_trail, std::byte* slots)
      : header_(header),
        producer_trail_(producer_trail),
        consumer_trail_(consumer_trail),
        slots_(slots),
        slot_bytes_(slot_bytes),
        capacity_log2_(capacity_log2) {}

  layout::Word& tail() const { return header_->tail; }
  layout::Word& head() const { return header_->head; }
  layout::Word& producer_trail(std::uint64_t i) const { return producer_trail_[i]; }
  layout::Word& consumer_trail(std::uint64_t i) const { return consumer_trail_[i]; }
  layout::Word& slot(std::uint64_t i) const { return slot_header(i).word; }
  layout::Word& redeliveries() const { return header_->redeliveries; }
  unsigned capacity_log2() const { return capacity_log2_; }

  layout::SlotHeader& slot_header(std::uint64_t i) const {
    return *reinterpret_cast<layout::SlotHeader*>(slots_ + i * slot_bytes_);
  }

 private:
  layout::QueueHeader* header_ = nullptr;
  layout::Word* producer_trail_ = nullptr;
  layout::Word* consumer_trail_ = nullptr;
  std::byte* slots_ = nullptr;
  std::uint64_t slot_bytes_ = 0;
  unsigned capacity_log2_ = 0;
};

}  // namespace shmq::core
