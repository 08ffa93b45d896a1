#include "objects/spsc_object.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>

#include "shmq/core/event.hpp"

namespace shmq::objects {

namespace {

std::uint64_t line_up(std::uint64_t offset) {
  return (offset + layout::kFalseSharingBytes - 1) / layout::kFalseSharingBytes * layout::kFalseSharingBytes;
}

void wake(const core::SegmentView& view, const core::ObjectSpace& space) {
  auto& header = *view.at<layout::SpscHeader>(space.offset);
  core::notify_everyone(header.data_event);
  core::notify_everyone(header.space_event);
}

void mark_removed(const core::SegmentView& view, const core::ObjectSpace& space) {
  core::ShmSpscMemory ring;
  if (!spsc_ring_of(view, space, ring)) return;
  ring.state().fetch_or(layout::kSpscRemoved, std::memory_order_acq_rel);
  wake(view, space);
}

/// What was in the hands of the dead, for the count that reap() returns: nobody else owns the end meanwhile.
void count_what_it_held(core::ShmSpscMemory& ring, std::uint32_t dead, core::Repairs& repairs) {
  const auto owned_by_dead = [&](layout::Word& end) {
    const std::uint64_t word = end.load(std::memory_order_acquire);
    return core::end_state(word) == layout::EndState::held && layout::owner_of(word) == dead;
  };
  const std::uint64_t released = ring.released().load(std::memory_order_acquire);
  if (owned_by_dead(ring.consumer()))
    for_each_record(ring, released, ring.received().load(std::memory_order_acquire),
                    [&](std::uint64_t, std::uint64_t word, std::uint64_t extent) {
                      if ((word & layout::kRecordPublished) && !(word & layout::kRecordTomb) &&
                          !(extent & layout::kRecordDone))
                        ++repairs.messages;
                    });
  if (owned_by_dead(ring.producer()))
    for_each_record(ring, released, ring.tail().load(std::memory_order_acquire),
                    [&](std::uint64_t, std::uint64_t word, std::uint64_t) {
                      if (!(word & layout::kRecordPublished)) ++repairs.claims;
                    });
}

void sweep(core::Attachment& by, const core::ObjectSpace& space, std::uint32_t dead, core::Repairs& repairs) {
  core::ShmSpscMemory ring;
  if (!spsc_ring_of(by.view(), space, ring)) return;
  count_what_it_held(ring, dead, repairs);
  core::free_end_of(ring.producer(), dead);
  core::free_end_of(ring.consumer(), dead);
  // Always: the dead may itself have been killed between a change and its announcement.
  wake(by.view(), space);
}

void references(const core::SegmentView&, const core::ObjectSpace&, core::References&) {
  // Records lie in the ring, whole: an spsc queue has no blocks.
}

}  // namespace

Result<QueueShape> spsc_shape_of(const QueueOptions& options, std::uint32_t element_bytes) {
  const auto refuse = [](const std::string& why) {
    return Error(ErrorCode::invalid_argument, "an spsc queue's " + why);
  };
  constexpr std::uint64_t kLeast = std::uint64_t{1} << layout::kRingLog2Min;
  constexpr std::uint64_t kMost = std::uint64_t{1} << layout::kRingLog2Max;
  if (options.slot_bytes != 0)
    return refuse("records take the room that they need: it has no slot size; give ring_bytes instead");
  if (options.on_full != OnFull::block && options.on_full != OnFull::reject)
    return refuse("on_full must be block or reject: its producer cannot take messages away from its consumer; "
                  "declare the queue as mpmc for that");
  QueueShape shape;
  shape.kind = QueueKind::spsc;
  shape.flags = options.metadata ? layout::kQueueMetadata : 0;
  shape.on_full = options.on_full;
  shape.element_bytes = element_bytes;
  const std::uint64_t typical =
      layout::extent_for(layout::record_prefix(shape.flags, 0) + (element_bytes != 0 ? element_bytes : 48));
  std::uint64_t bytes = options.ring_bytes;
  if (bytes == 0) bytes = std::max(kLeast, options.capacity * typical);
  if (bytes < kLeast || bytes > kMost)
    return refuse("ring is " + std::to_string(bytes) + " B; it must be " + std::to_string(kLeast) + " to " +
                  std::to_string(kMost));
  shape.ring_log2 = static_cast<unsigned>(std::bit_width(std::bit_ceil(bytes)) - 1);
  if (element_bytes != 0 && typical > std::uint64_t{1} << (shape.ring_log2 - 1))
    return refuse("ring of " + std::to_string(std::uint64_t{1} << shape.ring_log2) +
                  " B is too small for elements of " + std::to_string(element_bytes) +
                  " B: a record takes half the ring at most");
  return shape;
}

SpscPlaces spsc_places_of(const QueueShape& shape, std::uint32_t rows) {
  SpscPlaces places;
  places.users = sizeof(layout::SpscHeader);
  places.ring = line_up(places.users + std::uint64_t{rows} * sizeof(layout::QueueUser));
  places.size_bytes = places.ring + (std::uint64_t{1} << shape.ring_log2);
  return places;
}

void initialise_spsc(const core::SegmentView& view, const core::ObjectSpace& space, const QueueShape& shape,
                     std::uint64_t start_position) {
  const SpscPlaces places = spsc_places_of(shape, view.geometry().rows);
  std::memset(view.at<std::byte>(space.offset), 0, places.ring);
  auto& h = *view.at<layout::SpscHeader>(space.offset);
  h.generation = space.generation;
  h.ring_log2 = shape.ring_log2;
  h.flags = shape.flags;
  h.on_full = static_cast<std::uint32_t>(shape.on_full);
  h.rows = view.geometry().rows;
  h.element_bytes = shape.element_bytes;
  h.start_position = start_position;
  h.users_offset = places.users;
  h.ring_offset = places.ring;
  h.size_bytes = places.size_bytes;
  for (layout::Word* word : {&h.tail, &h.settled, &h.last, &h.received, &h.released, &h.head})
    word->store(start_position, std::memory_order_relaxed);
  core::ShmSpscMemory ring(&h, view.at<std::byte>(space.offset + places.ring), shape.ring_log2);
  ring.word(start_position).store(0, std::memory_order_relaxed);
  h.magic = layout::kSpscMagic;
}

bool spsc_ring_of(const core::SegmentView& view, const core::ObjectSpace& space, core::ShmSpscMemory& ring,
                  QueueShape* shape_out) {
  if (space.size_bytes < sizeof(layout::SpscHeader)) return false;
  // One reading of what is written once: the header may be hostile, and may change.
  alignas(layout::SpscHeader) std::byte copy[sizeof(layout::SpscHeader)] = {};
  std::memcpy(copy, view.at<std::byte>(space.offset), offsetof(layout::SpscHeader, producer));
  asm volatile("" : : "r"(copy) : "memory");  // the compiler may not go back to the segment
  const auto& h = *reinterpret_cast<const layout::SpscHeader*>(copy);
  if (h.magic != layout::kSpscMagic || h.generation != space.generation) return false;
  if (h.ring_log2 < layout::kRingLog2Min || h.ring_log2 > layout::kRingLog2Max) return false;
  if ((h.flags & ~layout::kQueueMetadata) != 0 || h.rows != view.geometry().rows) return false;
  if (h.on_full != static_cast<std::uint32_t>(OnFull::block) &&
      h.on_full != static_cast<std::uint32_t>(OnFull::reject))
    return false;
  QueueShape shape;
  shape.kind = QueueKind::spsc;
  shape.ring_log2 = h.ring_log2;
  shape.flags = h.flags;
  shape.on_full = static_cast<OnFull>(h.on_full);
  shape.element_bytes = h.element_bytes;
  const SpscPlaces places = spsc_places_of(shape, h.rows);
  if (places.size_bytes > space.size_bytes || h.ring_offset != places.ring || h.users_offset != places.users)
    return false;
  ring = core::ShmSpscMemory(view.at<layout::SpscHeader>(space.offset),
                             view.at<std::byte>(space.offset + places.ring), shape.ring_log2);
  if (shape_out != nullptr) *shape_out = shape;
  return true;
}

const core::ObjectKindOperations kSpscOperations = {sweep, wake, mark_removed, references};

}  // namespace shmq::objects
