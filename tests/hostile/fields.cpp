#include "fields.hpp"

#include <sys/mman.h>

#include <cstring>
#include <stdexcept>

#include "core/object_kinds.hpp"
#include "objects/queue_object.hpp"
#include "objects/spsc_object.hpp"
#include "shmq/core/segment_view.hpp"
#include "shmq/layout/queue_header.hpp"
#include "shmq/layout/segment_header.hpp"
#include "shmq/layout/spsc_header.hpp"

namespace hostile {

namespace {

namespace layout = shmq::layout;

class Collector {
 public:
  explicit Collector(const shmq::core::SegmentView& view) : view_(view) {}

  Fields collect() {
    const shmq::core::Geometry& g = view_.geometry();
    fields_.facts = {g.size_bytes, g.objects_offset, g.rows, g.objects_max, g.block_count, 2, g.classes[g.class_count - 1].block_bytes};
    header();
    for (std::uint32_t i = 0; i < g.rows; ++i) row(g.participants_offset + i * sizeof(layout::ParticipantRow));
    for (std::uint32_t i = 0; i < g.objects_max; ++i) entry(i);
    for (std::uint64_t i = 0; i < std::uint64_t{g.objects_max} * view_.user_words(); ++i)
      add("users", g.users_offset + i * 8, 8, Meaning::bitmap);
    for (std::uint64_t i = 0; i < g.unit_count; ++i) add("unit", g.units_offset + i * 8, 8, Meaning::unit_word);
    for (std::uint32_t i = 0; i < g.block_count; ++i) add("block", g.block_words_offset + i * 8, 8, Meaning::block_word);
    for (const auto& [name, list] : fields_.by_name) {
      fields_.names.push_back(name);
      fields_.count += list.size();
    }
    return std::move(fields_);
  }

 private:
  void add(const std::string& name, std::uint64_t offset, unsigned bytes, Meaning meaning) {
    fields_.by_name[name].push_back({offset, bytes, meaning});
  }

  void header() {
    using H = layout::SegmentHeader;
#define SHMQ_FIELD(member, meaning) \
  add("header." #member, offsetof(H, member), static_cast<unsigned>(sizeof(H::member)), Meaning::meaning)
    SHMQ_FIELD(magic, plain);
    SHMQ_FIELD(layout_version, plain);
    SHMQ_FIELD(header_bytes, plain);
    SHMQ_FIELD(features, plain);
    SHMQ_FIELD(device, plain);
    SHMQ_FIELD(inode, plain);
    SHMQ_FIELD(size_bytes, place);
    SHMQ_FIELD(created_ns, plain);
    SHMQ_FIELD(creator_pid, plain);
    SHMQ_FIELD(participants_max, count);
    SHMQ_FIELD(objects_max, count);
    SHMQ_FIELD(class_count, count);
    SHMQ_FIELD(participants_offset, place);
    SHMQ_FIELD(directory_offset, place);
    SHMQ_FIELD(users_offset, place);
    SHMQ_FIELD(units_offset, place);
    SHMQ_FIELD(unit_count, count);
    SHMQ_FIELD(block_words_offset, place);
    SHMQ_FIELD(block_count, count);
    SHMQ_FIELD(objects_offset, place);
    SHMQ_FIELD(state, plain);
    SHMQ_FIELD(next_generation, plain);
    SHMQ_FIELD(blocks_event, event);
    SHMQ_FIELD(block_waits, plain);
#undef SHMQ_FIELD
    for (unsigned i = 0; i < sizeof(H::build_id); i += 8) add("header.build_id", offsetof(H, build_id) + i, 8, Meaning::plain);
    for (unsigned i = 0; i < layout::kBlockClassesMax; ++i) {
      const std::uint64_t at = offsetof(H, classes) + i * sizeof(layout::BlockClassGeometry);
      add("header.class", at + offsetof(layout::BlockClassGeometry, block_bytes), 8, Meaning::place);
      add("header.class", at + offsetof(layout::BlockClassGeometry, data_offset), 8, Meaning::place);
      add("header.class", at + offsetof(layout::BlockClassGeometry, count), 4, Meaning::count);
      add("header.class", at + offsetof(layout::BlockClassGeometry, first_index), 4, Meaning::count);
    }
  }

  void row(std::uint64_t at) {
    using R = layout::ParticipantRow;
    add("row.word", at + offsetof(R, word), 8, Meaning::row_word);
    add("row.sweeping", at + offsetof(R, sweeping), 8, Meaning::row_word);
    add("row.start_time", at + offsetof(R, start_time_ticks), 8, Meaning::plain);
    add("row.pid_namespace", at + offsetof(R, pid_namespace), 8, Meaning::plain);
    add("row.attached_ns", at + offsetof(R, attached_ns), 8, Meaning::plain);
    add("row.pid", at + offsetof(R, pid), 4, Meaning::plain);
    add("row.uid", at + offsetof(R, uid), 4, Meaning::plain);
    add("row.name", at + offsetof(R, name), 8, Meaning::name);
  }

  void entry(std::uint32_t index) {
    using E = layout::DirectoryEntry;
    const std::uint64_t at = view_.geometry().directory_offset + index * sizeof(E);
    add("entry.word", at + offsetof(E, word), 8, Meaning::entry_word);
    add("entry.generation", at + offsetof(E, generation), 8, Meaning::plain);
    add("entry.offset", at + offsetof(E, offset), 8, Meaning::place);
    add("entry.size", at + offsetof(E, size_bytes), 8, Meaning::place);
    add("entry.kind", at + offsetof(E, kind), 8, Meaning::count);
    add("entry.name", at + offsetof(E, name), 8, Meaning::name);
    shmq::core::ObjectSpace space;
    const auto state = static_cast<layout::EntryState>(layout::word_state(view_.entry(index).word.load()));
    if (state == layout::EntryState::free || !shmq::core::space_of(view_, index, space)) return;
    if (static_cast<layout::ObjectKind>(view_.entry(index).kind.load()) == layout::ObjectKind::mpmc_queue)
      queue(space);
    else
      spsc(space);
  }

  void spsc(const shmq::core::ObjectSpace& space) {
    shmq::core::ShmSpscMemory ring;
    shmq::objects::QueueShape shape;
    if (!shmq::objects::spsc_ring_of(view_, space, ring, &shape)) throw std::logic_error("the sound segment is damaged");
    const shmq::objects::SpscPlaces places = shmq::objects::spsc_places_of(shape, view_.geometry().rows);
    using Q = layout::SpscHeader;
#define SHMQ_FIELD(member, meaning) \
  add("spsc." #member, space.offset + offsetof(Q, member), static_cast<unsigned>(sizeof(Q::member)), Meaning::meaning)
    SHMQ_FIELD(magic, plain);
    SHMQ_FIELD(generation, plain);
    SHMQ_FIELD(ring_log2, count);
    SHMQ_FIELD(flags, plain);
    SHMQ_FIELD(on_full, count);
    SHMQ_FIELD(rows, count);
    SHMQ_FIELD(element_bytes, count);
    SHMQ_FIELD(start_position, position);
    SHMQ_FIELD(users_offset, place);
    SHMQ_FIELD(ring_offset, place);
    SHMQ_FIELD(size_bytes, place);
    SHMQ_FIELD(producer, block_word);
    SHMQ_FIELD(tail, ring_position);
    SHMQ_FIELD(settled, ring_position);
    SHMQ_FIELD(consumer, block_word);
    SHMQ_FIELD(last, ring_position);
    SHMQ_FIELD(received, ring_position);
    SHMQ_FIELD(released, ring_position);
    SHMQ_FIELD(head, ring_position);
    SHMQ_FIELD(data_event, event);
    SHMQ_FIELD(space_event, event);
    SHMQ_FIELD(state, event);
    SHMQ_FIELD(redelivered, plain);
    SHMQ_FIELD(tombs, plain);
    SHMQ_FIELD(purged, plain);
#undef SHMQ_FIELD
    // A record may begin at each of these: after damage they do.
    for (std::uint64_t at = 0; at < ring.ring_bytes(); at += 2 * layout::kRecordAlignment) {
      add("record.word", space.offset + places.ring + at, 8, Meaning::record_word);
      add("record.extent", space.offset + places.ring + at + 8, 8, Meaning::record_extent);
    }
    // Those that are there, more often.
    shmq::objects::for_each_record(ring, ring.released().load(), ring.tail().load(),
                                   [&](std::uint64_t position, std::uint64_t, std::uint64_t) {
                                     const std::uint64_t at = space.offset + places.ring + position % ring.ring_bytes();
                                     add("record.word, of one", at, 8, Meaning::record_word);
                                     add("record.extent, of one", at + 8, 8, Meaning::record_extent);
                                   });
  }

  void queue(const shmq::core::ObjectSpace& space) {
    shmq::core::ShmRing ring;
    shmq::objects::QueueShape shape;
    if (!shmq::objects::ring_of(view_, space, ring, &shape)) throw std::logic_error("the sound segment is damaged");
    const shmq::objects::QueuePlaces places = shmq::objects::places_of(shape, view_.geometry().rows);
    using Q = layout::QueueHeader;
#define SHMQ_FIELD(member, meaning) \
  add("queue." #member, space.offset + offsetof(Q, member), static_cast<unsigned>(sizeof(Q::member)), Meaning::meaning)
    SHMQ_FIELD(magic, plain);
    SHMQ_FIELD(generation, plain);
    SHMQ_FIELD(capacity_log2, count);
    SHMQ_FIELD(slot_bytes, count);
    SHMQ_FIELD(flags, plain);
    SHMQ_FIELD(on_full, count);
    SHMQ_FIELD(start_position, position);
    SHMQ_FIELD(users_offset, place);
    SHMQ_FIELD(producer_trail_offset, place);
    SHMQ_FIELD(consumer_trail_offset, place);
    SHMQ_FIELD(slots_offset, place);
    SHMQ_FIELD(size_bytes, place);
    SHMQ_FIELD(rows, count);
    SHMQ_FIELD(element_bytes, count);
    SHMQ_FIELD(tail, ring_word);
    SHMQ_FIELD(head, ring_word);
    SHMQ_FIELD(data_event, event);
    SHMQ_FIELD(space_event, event);
    SHMQ_FIELD(redeliveries, plain);
    SHMQ_FIELD(position_base, position);
    SHMQ_FIELD(redelivered, plain);
    SHMQ_FIELD(tombs, plain);
    SHMQ_FIELD(purged, plain);
    SHMQ_FIELD(dropped, plain);
    SHMQ_FIELD(rejected, plain);
    SHMQ_FIELD(dead_lettered, plain);
    SHMQ_FIELD(dead_letter_refused, plain);
    SHMQ_FIELD(dead_letter_again_ns, plain);
    SHMQ_FIELD(delivery_limit, count);
#undef SHMQ_FIELD
    add("queue.dead_letter", space.offset + offsetof(Q, dead_letter), 8, Meaning::name);
    for (std::uint32_t i = 0; i < view_.geometry().rows; ++i)
      for (unsigned word = 0; word < 4; ++word)
        add("queue.user", space.offset + places.users + i * sizeof(layout::QueueUser) + word * 8, 8, Meaning::plain);
    fields_.facts.capacity_max = std::max(fields_.facts.capacity_max, ring.capacity());
    const std::uint32_t payload = layout::slot_payload_offset(shape.flags);
    for (std::uint64_t i = 0; i < ring.capacity(); ++i) {
      add("producer_trail", space.offset + places.producer_trail + i * 8, 8, Meaning::ring_word);
      add("consumer_trail", space.offset + places.consumer_trail + i * 8, 8, Meaning::ring_word);
      const std::uint64_t slot = space.offset + places.slots + i * shape.slot_bytes;
      add("slot.word", slot + offsetof(layout::SlotHeader, word), 8, Meaning::slot_word);
      add("slot.descriptor", slot + offsetof(layout::SlotHeader, descriptor), 8, Meaning::descriptor);
      add("slot.reference", slot + payload, 8, Meaning::reference);
      add("slot.origin", slot + shape.slot_bytes - 16, 8, Meaning::plain);
      add("slot.origin", slot + shape.slot_bytes - 8, 8, Meaning::position);
      if (shape.flags & layout::kQueueMetadata)
        for (unsigned word = 0; word < 4; ++word) add("slot.metadata", slot + sizeof(layout::SlotHeader) + word * 8, 8, Meaning::plain);
    }
  }

  const shmq::core::SegmentView& view_;
  Fields fields_;
};

}  // namespace

Fields fields_of(std::span<const std::byte> sound) {
  // Aligned as a mapping is, and writable: the view hands out words.
  void* copy = ::mmap(nullptr, sound.size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (copy == MAP_FAILED) throw std::bad_alloc();
  std::memcpy(copy, sound.data(), sound.size());
  const auto view = shmq::core::SegmentView::check(static_cast<std::byte*>(copy), sound.size(), "the sound segment").value();
  Fields fields = Collector(view).collect();
  ::munmap(copy, sound.size());
  return fields;
}

}  // namespace hostile
