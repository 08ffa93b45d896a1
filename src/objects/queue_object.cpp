#include "objects/queue_object.hpp"

#include <bit>
#include <cstring>

#include "base/text.hpp"
#include "core/blocks.hpp"
#include "core/patience.hpp"
#include "objects/dead_letter.hpp"
#include "objects/spsc_object.hpp"
#include "objects/task_object.hpp"
#include "shmq/base/fence.hpp"

namespace shmq::objects {

using layout::kFalseSharingBytes;

namespace {

std::uint64_t line_up(std::uint64_t offset) {
  return (offset + kFalseSharingBytes - 1) / kFalseSharingBytes * kFalseSharingBytes;
}

std::string number(std::uint64_t value) { return std::to_string(value); }

std::uint32_t default_slot_bytes(std::uint32_t flags, std::uint32_t element_bytes) {
  const std::uint32_t least = flags & layout::kQueueMetadata ? 128 : 64;
  const std::uint64_t whole = std::uint64_t{layout::slot_payload_offset(flags)} + element_bytes;
  // Larger elements go into blocks: a slot that carries them inline makes every lap of the ring that much
  // longer.
  return whole <= 8192 ? std::max(least, static_cast<std::uint32_t>(std::bit_ceil(whole))) : least;
}

core::ShmRing make_ring(const core::SegmentView& view, std::uint64_t offset, const QueueShape& shape,
                        const QueuePlaces& places) {
  return core::ShmRing(core::ShmRingMemory(
      view.at<layout::QueueHeader>(offset), shape.capacity_log2, shape.slot_bytes,
      view.at<layout::Word>(offset + places.producer_trail),
      view.at<layout::Word>(offset + places.consumer_trail), view.at<std::byte>(offset + places.slots)));
}

void initialise(const core::SegmentView& view, const core::ObjectSpace& space, const QueueShape& shape,
                std::uint64_t start_position) {
  const QueuePlaces places = places_of(shape, view.geometry().rows);
  std::memset(view.at<std::byte>(space.offset), 0, places.slots);
  auto& h = *view.at<layout::QueueHeader>(space.offset);
  h.generation = space.generation;
  h.capacity_log2 = shape.capacity_log2;
  h.slot_bytes = shape.slot_bytes;
  h.flags = shape.flags;
  h.on_full = static_cast<std::uint32_t>(shape.on_full);
  h.start_position = start_position;
  h.users_offset = places.users;
  h.producer_trail_offset = places.producer_trail;
  h.consumer_trail_offset = places.consumer_trail;
  h.slots_offset = places.slots;
  h.size_bytes = places.size_bytes;
  h.rows = view.geometry().rows;
  h.element_bytes = shape.element_bytes;
  h.delivery_limit = shape.delivery_limit;
  h.dead_letter.set(shape.dead_letter);
  const std::uint64_t start = start_position & layout::kPositionMask;
  h.tail.store(layout::ring_word(start, layout::kNobody), std::memory_order_relaxed);
  h.head.store(layout::ring_word(start, layout::kNobody), std::memory_order_relaxed);
  h.position_base.store(start_position, std::memory_order_relaxed);
  core::ShmRing ring = make_ring(view, space.offset, shape, places);
  for (std::uint64_t i = 0; i < ring.capacity(); ++i) {
    // Every slot awaits its first lap from here, and the lap before was nobody's.
    const std::uint64_t position = layout::position_add(start, i);
    const std::uint64_t before = layout::position_sub(position, ring.capacity());
    const std::uint64_t index = ring.index_of(position);
    const std::uint64_t nobodys = layout::ring_word(layout::position_add(before, 1), layout::kNobody);
    ring.memory().slot(index).store(ring.free_word(position), std::memory_order_relaxed);
    ring.memory().producer_trail(index).store(nobodys, std::memory_order_relaxed);
    ring.memory().consumer_trail(index).store(nobodys, std::memory_order_relaxed);
  }
  h.magic = layout::kQueueMagic;
}

Result<std::shared_ptr<core::QueueHandle>> handle_of(std::shared_ptr<core::Attachment> attachment,
                                                     const std::string& name,
                                                     const core::PinnedObject& object) {
  auto handle = std::make_shared<core::QueueHandle>();
  const core::SegmentView& view = attachment->view();
  QueueShape shape;
  handle->is_spsc = object.kind == layout::ObjectKind::spsc_queue;
  if (object.kind == layout::ObjectKind::task_table) {
    attachment->unpin(object.space.entry);
    return Error(ErrorCode::different, "\"" + name + "\" in segment \"" + attachment->name() +
                                           "\" is a task table, not a queue: open it with open_task_table(), or choose another name");
  }
  const bool known = handle->is_spsc || object.kind == layout::ObjectKind::mpmc_queue;
  const bool sound = known && (handle->is_spsc ? spsc_ring_of(view, object.space, handle->records, &shape)
                                               : ring_of(view, object.space, handle->ring, &shape));
  if (!sound) {
    attachment->unpin(object.space.entry);
    return Error(ErrorCode::corrupt, "queue \"" + name + "\" in segment \"" + attachment->name() +
                                         "\" has a damaged header: remove the segment and create it again");
  }
  handle->name = name;
  handle->generation = object.space.generation;
  handle->entry = object.space.entry;
  handle->flags = shape.flags;
  handle->element_bytes = shape.element_bytes;
  handle->payload_offset = layout::slot_payload_offset(shape.flags);
  handle->on_full = shape.on_full;
  handle->delivery_limit = shape.delivery_limit;
  handle->dead_letter = shape.dead_letter;
  std::uint64_t users = 0;
  if (handle->is_spsc) {
    layout::SpscHeader& header = handle->records.header();
    handle->payload_room = (std::uint32_t{1} << (shape.ring_log2 - 1)) - handle->payload_offset;
    handle->data_event = &header.data_event;
    handle->space_event = &header.space_event;
    users = spsc_places_of(shape, view.geometry().rows).users;
    if (!os::membarrier_available()) header.state.fetch_or(layout::kSpscFence, std::memory_order_seq_cst);
  } else {
    handle->header = view.at<layout::QueueHeader>(object.space.offset);
    handle->slot_bytes = shape.slot_bytes;
    handle->payload_room = shape.slot_bytes - handle->payload_offset;
    handle->data_event = &handle->header->data_event;
    handle->space_event = &handle->header->space_event;
    users = places_of(shape, view.geometry().rows).users;
  }
  handle->user = view.at<layout::QueueUser>(object.space.offset + users) + (attachment->me().id - 1);
  core::declare_barriers(*handle->data_event);
  core::declare_barriers(*handle->space_event);
  handle->attachment = std::move(attachment);
  return handle;
}

/// What differs between two declarations, for people; empty where nothing does.
std::string difference(const QueueShape& is, const QueueShape& asked) {
  std::string text;
  const auto differs = [&](const std::string& what, const std::string& a, const std::string& b) {
    if (a != b) text += (text.empty() ? "" : ", ") + what + " is " + a + ", not " + b;
  };
  const auto kind = [](const QueueShape& shape) { return shape.kind == QueueKind::spsc ? "spsc" : "mpmc"; };
  differs("kind", kind(is), kind(asked));
  if (is.kind == asked.kind) {
    if (is.kind == QueueKind::spsc)
      differs("ring", number(std::uint64_t{1} << is.ring_log2) + " B",
              number(std::uint64_t{1} << asked.ring_log2) + " B");
    else
      differs("capacity", number(std::uint64_t{1} << is.capacity_log2),
              number(std::uint64_t{1} << asked.capacity_log2));
    differs("slot size", number(is.slot_bytes) + " B", number(asked.slot_bytes) + " B");
  }
  differs("on_full", to_string(is.on_full), to_string(asked.on_full));
  differs("metadata", is.flags & layout::kQueueMetadata ? "kept" : "not kept",
          asked.flags & layout::kQueueMetadata ? "kept" : "not kept");
  differs("delivery limit", number(is.delivery_limit), number(asked.delivery_limit));
  const auto named = [](const std::string& name) { return name.empty() ? "none" : "\"" + name + "\""; };
  differs("dead-letter queue", named(is.dead_letter), named(asked.dead_letter));
  if (is.element_bytes != 0 && asked.element_bytes != 0)
    differs("element size", number(is.element_bytes) + " B", number(asked.element_bytes) + " B");
  return text;
}

core::Fate fate_of(core::Attachment& by, core::ShmRing& ring, std::uint32_t flags, std::uint64_t index,
                   std::uint32_t dead) {
  const layout::SlotHeader& slot = ring.memory().slot_header(index);
  if (!(layout::descriptor_length(slot.descriptor.load(std::memory_order_relaxed)) & layout::kLengthInBlock))
    return core::Fate::redeliver;
  std::uint64_t reference = 0;
  std::memcpy(&reference, reinterpret_cast<const std::byte*>(&slot) + layout::slot_payload_offset(flags),
              sizeof reference);
  return core::settle_reference(by, reference, dead) == core::ReferenceFate::deliver_again
             ? core::Fate::redeliver
             : core::Fate::complete;
}

void sweep(core::Attachment& by, const core::ObjectSpace& space, std::uint32_t dead, core::Repairs& repairs) {
  core::ShmRing ring;
  QueueShape shape;
  if (!ring_of(by.view(), space, ring, &shape)) return;
  auto& header = *by.view().at<layout::QueueHeader>(space.offset);
  const std::uint32_t claims = ring.sweep_producer(dead);
  const core::Mended mended = ring.sweep_consumer(
      dead, [&](std::uint64_t index, std::uint64_t) { return fate_of(by, ring, shape.flags, index, dead); });
  header.tombs.fetch_add(claims, std::memory_order_relaxed);
  header.redelivered.fetch_add(mended.redelivered, std::memory_order_relaxed);
  repairs.claims += claims;
  repairs.messages += mended.redelivered;
  // Always: the dead may itself have been killed between a change and its announcement.
  ring.announce_redelivery();
  core::notify_everyone(header.data_event);
  core::notify_everyone(header.space_event);
}

void wake(const core::SegmentView& view, const core::ObjectSpace& space) {
  auto& header = *view.at<layout::QueueHeader>(space.offset);
  core::notify_everyone(header.data_event);
  core::notify_everyone(header.space_event);
}

void mark_removed(const core::SegmentView& view, const core::ObjectSpace& space) {
  core::ShmRing ring;
  if (!ring_of(view, space, ring)) return;
  ring.mark_removed();
  wake(view, space);
  core::notify_everyone(view.header().blocks_event);  // who waits for a block waits for this queue, too
}

void references(const core::SegmentView& view, const core::ObjectSpace& space, core::References& into) {
  core::ShmRing ring;
  QueueShape shape;
  if (!ring_of(view, space, ring, &shape)) return;
  for (std::uint64_t i = 0; i < ring.capacity(); ++i) {
    layout::SlotHeader& slot = ring.memory().slot_header(i);
    for (std::uint32_t look = 0; look < core::kLooksMax; ++look) {
      const std::uint64_t word = slot.word.load(std::memory_order_acquire);
      const layout::SlotState state = layout::slot_state(word);
      if (state != layout::SlotState::ready && state != layout::SlotState::redeliver &&
          state != layout::SlotState::reading)
        break;
      const std::uint64_t descriptor = slot.descriptor.load(std::memory_order_relaxed);
      const auto* payload =
          reinterpret_cast<const std::byte*>(&slot) + layout::slot_payload_offset(shape.flags);
      const std::uint64_t reference = base::load_racing(*reinterpret_cast<const std::uint64_t*>(payload));
      base::fence(std::memory_order_acquire);
      if (slot.word.load(std::memory_order_relaxed) != word) continue;  // the slot went on meanwhile
      if (layout::descriptor_length(descriptor) & layout::kLengthInBlock) into.push_back(reference);
      break;
    }
  }
}

}  // namespace

Result<QueueShape> shape_of(const QueueOptions& options, std::uint32_t element_bytes) {
  const auto refuse = [](const std::string& why) {
    return Error(ErrorCode::invalid_argument, "a queue's " + why);
  };
  constexpr std::uint64_t kMost = std::uint64_t{1} << layout::kCapacityLog2Max;
  QueueShape shape;
  shape.kind = options.kind;
  if (options.capacity < 1 || options.capacity > kMost)
    return refuse("capacity is " + number(options.capacity) + "; it must be 1 to " + number(kMost));
  if (options.kind == QueueKind::spsc && (options.delivery_limit != 0 || !options.dead_letter.empty()))
    return refuse("delivery limit and dead-letter queue are for the mpmc kind only");
  if (options.kind == QueueKind::spsc) return spsc_shape_of(options, element_bytes);
  if (options.kind != QueueKind::mpmc)
    return refuse("kind is " + number(static_cast<std::uint32_t>(options.kind)) + "; it must be mpmc or spsc");
  if (options.ring_bytes != 0)
    return refuse("ring size is for the spsc kind only; an mpmc queue takes a capacity and a slot size");
  shape.capacity_log2 = std::max(layout::kCapacityLog2Min,
                                 static_cast<unsigned>(std::bit_width(std::bit_ceil(options.capacity)) - 1));
  shape.flags = options.metadata ? layout::kQueueMetadata : 0;
  shape.on_full = options.on_full;
  if (options.on_full > OnFull::drop_oldest)
    return refuse("on_full is " + number(static_cast<std::uint32_t>(options.on_full)) +
                  "; it must be OnFull::block, reject or drop_oldest");
  shape.element_bytes = element_bytes;
  shape.delivery_limit = options.delivery_limit;
  shape.dead_letter = options.dead_letter;
  if (options.delivery_limit > layout::kDeliveriesMax)
    return refuse("delivery limit is " + number(options.delivery_limit) + "; it must be 1 to " +
                  number(layout::kDeliveriesMax) + ", or 0 for none");
  if (options.delivery_limit != 0 && options.dead_letter.empty())
    return refuse("delivery limit is " + number(options.delivery_limit) +
                  ", and there is no dead-letter queue: messages past the limit would be lost. Name one, or leave the "
                  "limit 0");
  if (!options.dead_letter.empty())
    if (Status checked = base::check_name(options.dead_letter, base::kObjectNameMax, "dead-letter queue"); !checked)
      return checked.error();
  shape.slot_bytes =
      options.slot_bytes != 0 ? options.slot_bytes : default_slot_bytes(shape.flags, element_bytes);
  const std::uint32_t least = options.metadata ? 128 : layout::kSlotBytesMin;
  if (shape.slot_bytes < least || shape.slot_bytes > layout::kSlotBytesMax ||
      !std::has_single_bit(shape.slot_bytes))
    return refuse("slot size is " + number(shape.slot_bytes) + " B; it must be a power of two from " +
                  number(least) + (options.metadata ? " (with metadata)" : "") + " to " +
                  number(layout::kSlotBytesMax));
  return shape;
}

std::uint64_t size_of(const QueueShape& shape, std::uint32_t rows) {
  return shape.kind == QueueKind::spsc ? spsc_places_of(shape, rows).size_bytes : places_of(shape, rows).size_bytes;
}

QueuePlaces places_of(const QueueShape& shape, std::uint32_t rows) {
  QueuePlaces places;
  const std::uint64_t capacity = std::uint64_t{1} << shape.capacity_log2;
  places.users = sizeof(layout::QueueHeader);
  places.producer_trail = places.users + std::uint64_t{rows} * sizeof(layout::QueueUser);
  places.consumer_trail = line_up(places.producer_trail + capacity * sizeof(layout::Word));
  places.slots = line_up(places.consumer_trail + capacity * sizeof(layout::Word));
  places.size_bytes = places.slots + capacity * shape.slot_bytes;
  return places;
}

bool ring_of(const core::SegmentView& view, const core::ObjectSpace& space, core::ShmRing& ring,
             QueueShape* shape_out) {
  if (space.size_bytes < sizeof(layout::QueueHeader)) return false;
  // One reading of what is written once: the header may be hostile, and may change.
  alignas(layout::QueueHeader) std::byte copy[sizeof(layout::QueueHeader)] = {};
  std::memcpy(copy, view.at<std::byte>(space.offset), offsetof(layout::QueueHeader, tail));
  asm volatile("" : : "r"(copy) : "memory");  // the compiler may not go back to the segment
  const auto& h = *reinterpret_cast<const layout::QueueHeader*>(copy);
  QueueShape shape;
  shape.capacity_log2 = h.capacity_log2;
  shape.slot_bytes = h.slot_bytes;
  shape.flags = h.flags;
  shape.on_full = static_cast<OnFull>(h.on_full);
  shape.element_bytes = h.element_bytes;
  shape.delivery_limit = h.delivery_limit;
  shape.dead_letter = view.at<layout::QueueHeader>(space.offset)->dead_letter.get();
  if (h.magic != layout::kQueueMagic || h.generation != space.generation) return false;
  if (shape.capacity_log2 < layout::kCapacityLog2Min || shape.capacity_log2 > layout::kCapacityLog2Max)
    return false;
  if (shape.slot_bytes < layout::kSlotBytesMin || shape.slot_bytes > layout::kSlotBytesMax ||
      !std::has_single_bit(shape.slot_bytes))
    return false;
  if ((shape.flags & ~layout::kQueueMetadata) != 0 || (shape.flags != 0 && shape.slot_bytes < 128))
    return false;
  if (h.on_full > static_cast<std::uint32_t>(OnFull::drop_oldest)) return false;
  if (!shape.dead_letter.empty() && !base::check_name(shape.dead_letter, base::kObjectNameMax, "")) return false;
  if (shape.delivery_limit > layout::kDeliveriesMax || (shape.delivery_limit != 0 && shape.dead_letter.empty()))
    return false;
  const QueuePlaces places = places_of(shape, view.geometry().rows);
  if (places.size_bytes > space.size_bytes || h.rows != view.geometry().rows ||
      h.slots_offset != places.slots || h.producer_trail_offset != places.producer_trail ||
      h.consumer_trail_offset != places.consumer_trail)
    return false;
  ring = make_ring(view, space.offset, shape, places);
  if (shape_out != nullptr) *shape_out = shape;
  return true;
}

Result<std::shared_ptr<core::QueueHandle>> open_queue(std::shared_ptr<core::Attachment> attachment,
                                                      const std::string& name, std::uint32_t element_bytes) {
  Result<core::PinnedObject> found = core::Directory(*attachment).open(name, "queue");
  if (!found) return found.error();
  Result<std::shared_ptr<core::QueueHandle>> handle = handle_of(attachment, name, *found);
  if (!handle || element_bytes == 0) return handle;
  const std::uint32_t is = (*handle)->element_bytes;
  if (is != 0 && is != element_bytes)
    return Error(ErrorCode::different, "queue \"" + name + "\" carries elements of " + number(is) +
                                           " B, not of " + number(element_bytes) +
                                           " B: sender and receiver must be built with the same type");
  return handle;
}

Result<std::shared_ptr<core::QueueHandle>> declare_queue(std::shared_ptr<core::Attachment> attachment,
                                                         const std::string& name, const QueueShape& shape,
                                                         std::uint64_t start_position) {
  if (Status checked = check_dead_letter(*attachment, name, shape); !checked) return checked.error();
  core::Directory directory(*attachment);
  for (int attempt = 0;; ++attempt) {
    Result<core::PinnedObject> object = directory.open(name, "queue");
    if (!object && object.error().code() == ErrorCode::not_found) {
      const bool spsc = shape.kind == QueueKind::spsc;
      core::NewObject fresh{name, spsc ? layout::ObjectKind::spsc_queue : layout::ObjectKind::mpmc_queue,
                            size_of(shape, attachment->view().geometry().rows),
                            [&](const core::ObjectSpace& space) {
                              (spsc ? initialise_spsc : initialise)(attachment->view(), space, shape,
                                                                    start_position);
                            }};
      object = directory.create(fresh, "queue");
      // Somebody was faster: then it is there to be opened. Or it went again at once: then there is room for
      // ours.
      const bool again = !object && (object.error().code() == ErrorCode::already_exists ||
                                     object.error().code() == ErrorCode::removed);
      if (again && attempt < 100) continue;
    }
    if (!object) return object.error();
    QueueShape is;
    core::ShmRing ring;
    core::ShmSpscMemory records;
    const bool sound = object->kind == layout::ObjectKind::spsc_queue
                           ? spsc_ring_of(attachment->view(), object->space, records, &is)
                           : ring_of(attachment->view(), object->space, ring, &is);
    Result<std::shared_ptr<core::QueueHandle>> handle = handle_of(attachment, name, *object);
    if (!handle || !sound) return handle;
    if (const std::string text = difference(is, shape); !text.empty())
      return Error(ErrorCode::different, "queue \"" + name + "\" in segment \"" + attachment->name() +
                                             "\" was declared differently: its " + text +
                                             "; open it as it is (open_queue), declare it the same way, or remove it first");
    return handle;
  }
}

const core::ObjectKindOperations kQueueOperations = {sweep, wake, mark_removed, references};

}  // namespace shmq::objects

namespace shmq::core {

const ObjectKindOperations* operations_of(layout::ObjectKind kind) {
  switch (kind) {
    case layout::ObjectKind::mpmc_queue:
      return &objects::kQueueOperations;
    case layout::ObjectKind::spsc_queue:
      return &objects::kSpscOperations;
    case layout::ObjectKind::task_table:
      return &objects::kTableOperations;
    case layout::ObjectKind::none:
      break;
  }
  return nullptr;
}

}  // namespace shmq::core
