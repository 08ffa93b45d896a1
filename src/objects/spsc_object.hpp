// An spsc queue as an object of a segment: how much space it takes, how it is initialised and checked, and what the
// reaper does with it.
#pragma once

#include "core/object_kinds.hpp"
#include "objects/queue_object.hpp"
#include "shmq/core/shm_spsc_memory.hpp"
#include "shmq/core/spsc_consumer.hpp"

namespace shmq::objects {

/// Where its parts lie, from the object's start.
struct SpscPlaces {
  std::uint64_t users = 0;
  std::uint64_t ring = 0;
  std::uint64_t size_bytes = 0;
};
/// A declaration of this kind, its numbers checked.
Result<QueueShape> spsc_shape_of(const QueueOptions& options, std::uint32_t element_bytes);

SpscPlaces spsc_places_of(const QueueShape& shape, std::uint32_t rows);

void initialise_spsc(const core::SegmentView& view, const core::ObjectSpace& space, const QueueShape& shape,
                     std::uint64_t start_position);

/// The queue in a space, where its header is what it should be; the words of its ring. False where it is not.
bool spsc_ring_of(const core::SegmentView& view, const core::ObjectSpace& space, core::ShmSpscMemory& ring,
                  QueueShape* shape = nullptr);

/// The extent word of the record at `position`, whose word is `word`. Of a claim that is open and the last one the extent
/// may not be written yet, and is what lies between it and the tail (S2 of core/spsc_ring.hpp): `to`, which was read
/// before the word.
inline std::uint64_t extent_word_at(const core::ShmSpscMemory& ring, std::uint64_t position, std::uint64_t word,
                                    std::uint64_t to) {
  if (!(word & layout::kRecordPublished) && position == ring.last().load(std::memory_order_acquire))
    return (to - position) << 32;
  return ring.extent(position).load(std::memory_order_relaxed);
}

/// Calls `visit(position, word, extent_word)` for each record from `from` up to `to`, as long as what stands there is
/// sound. Reads only.
template <class Visit>
void for_each_record(const core::ShmSpscMemory& ring, std::uint64_t from, std::uint64_t to, Visit&& visit) {
  const std::uint64_t span = core::lies_before(from, to) ? to - from : 0;
  if (span > ring.ring_bytes() || from % layout::kRecordAlignment != 0) return;
  for (std::uint64_t position = from; core::lies_before(position, to);) {
    const std::uint64_t word = ring.word(position).load(std::memory_order_acquire);
    const std::uint64_t extent = extent_word_at(ring, position, word, to);
    visit(position, word, extent);
    const std::uint64_t next = core::record_after(ring, position, extent);
    if (next == position) return;
    position = next;
  }
}

extern const core::ObjectKindOperations kSpscOperations;

}  // namespace shmq::objects
