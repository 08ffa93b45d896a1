#include "objects/task_object.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "core/directory.hpp"
#include "objects/task_upkeep.hpp"
#include "shmq/core/event.hpp"

namespace shmq::objects {

using layout::RunEnd;
using layout::TaskState;

namespace {

constexpr std::uint32_t kRoomStep = 64;

core::TaskTableParts make_parts(const core::SegmentView& view, std::uint64_t offset, const TableShape& shape,
                                const TablePlaces& places) {
  core::TaskTableParts parts;
  auto* header = view.at<layout::TaskTableHeader>(offset);
  const auto ring = [&](layout::Word& head, layout::Word& tail, std::uint64_t cells) {
    return core::ShmHintRing(
        core::ShmHintMemory(&head, &tail, view.at<layout::Word>(offset + cells), shape.ring_log2()));
  };
  parts.header = header;
  parts.users = view.at<layout::TaskUser>(offset + places.users);
  parts.words = core::ShmTaskWords(
      core::ShmTaskMemory(view.at<std::byte>(offset + places.records), shape.record_bytes()));
  parts.free = ring(header->free_head, header->free_tail, places.free);
  parts.ready = ring(header->ready_head, header->ready_tail, places.ready);
  parts.capacity = shape.capacity;
  parts.payload_room = shape.payload_room;
  parts.result_room = shape.result_room;
  parts.rows = view.geometry().rows;
  return parts;
}

void initialise(const core::SegmentView& view, const core::ObjectSpace& space, const TableShape& shape) {
  const TablePlaces places = places_of(shape, view.geometry().rows);
  std::memset(view.at<std::byte>(space.offset), 0, places.size_bytes);
  auto& h = *view.at<layout::TaskTableHeader>(space.offset);
  h.generation = space.generation;
  h.capacity = shape.capacity;
  h.ring_log2 = shape.ring_log2();
  h.record_bytes = shape.record_bytes();
  h.payload_room = shape.payload_room;
  h.result_room = shape.result_room;
  h.rows = view.geometry().rows;
  h.users_offset = places.users;
  h.free_offset = places.free;
  h.ready_offset = places.ready;
  h.records_offset = places.records;
  h.size_bytes = places.size_bytes;
  core::TaskTableParts parts = make_parts(view, space.offset, shape, places);
  for (std::uint32_t i = 0; i < shape.capacity; ++i) {
    // An epoch that was never reached: no block may be taken for one that a record names.
    parts.record(i).payload_block.store(layout::kNoBlock, std::memory_order_relaxed);
    parts.record(i).result_block.store(layout::kNoBlock, std::memory_order_relaxed);
    (void)parts.free.push(i);
  }
  h.magic = layout::kTaskTableMagic;
}

Result<std::shared_ptr<core::TaskTableHandle>> handle_of(std::shared_ptr<core::Attachment> attachment,
                                                         const std::string& name,
                                                         const core::PinnedObject& object) {
  auto handle = std::make_shared<core::TaskTableHandle>();
  const bool right_kind = object.kind == layout::ObjectKind::task_table;
  if (!right_kind || !table_of(attachment->view(), object.space, handle->parts)) {
    attachment->unpin(object.space.entry);
    if (!right_kind)
      return Error(ErrorCode::different, "\"" + name + "\" in segment \"" + attachment->name() +
                                             "\" is a queue, not a task table: open it with open_queue(), or choose another name");
    return Error(ErrorCode::corrupt, "task table \"" + name + "\" in segment \"" + attachment->name() +
                                         "\" has a damaged header: remove the segment and create it again");
  }
  handle->name = name;
  handle->generation = object.space.generation;
  handle->entry = object.space.entry;
  for (core::EventWord* event :
       {&handle->parts.header->ready_event, &handle->parts.header->free_event, &handle->parts.header->done_event})
    core::declare_barriers(*event);
  handle->attachment = std::move(attachment);
  return handle;
}

void wake(const core::SegmentView& view, const core::ObjectSpace& space) {
  auto& header = *view.at<layout::TaskTableHeader>(space.offset);
  for (core::EventWord* event : {&header.ready_event, &header.free_event, &header.done_event})
    core::notify_everyone(*event);
}

void mark_removed(const core::SegmentView& view, const core::ObjectSpace& space) {
  core::TaskTableParts parts;
  if (!table_of(view, space, parts)) return;
  parts.header->state.fetch_or(layout::kTableRemoved, std::memory_order_seq_cst);
  wake(view, space);
  core::notify_everyone(view.header().blocks_event);
}

void references(const core::SegmentView& view, const core::ObjectSpace& space, core::References& into) {
  core::TaskTableParts parts;
  if (!table_of(view, space, parts)) return;
  for (std::uint32_t i = 0; i < parts.capacity; ++i) {
    // A record in ALLOC counts: whoever dies with it has it cleared away, with what it names.
    if (layout::task_state(parts.words.look(i)) == TaskState::free) continue;
    for (const layout::Word* word : {&parts.record(i).payload_block, &parts.record(i).result_block})
      if (const std::uint64_t reference = word->load(std::memory_order_acquire); reference != layout::kNoBlock)
        into.push_back(reference);
  }
}

void sweep(core::Attachment& by, const core::ObjectSpace& space, std::uint32_t dead, core::Repairs& repairs) {
  core::TaskTableParts parts;
  if (!table_of(by.view(), space, parts)) return;
  for (std::uint32_t i = 0; i < parts.capacity; ++i) {
    const std::uint64_t word = parts.words.look(i);
    const TaskState state = layout::task_state(word);
    if (!layout::is_owned(state) || layout::owner_of(word) != dead) continue;
    core::Lease lease{i, word};
    if (state == TaskState::alloc) {
      // In the reaper's own name: somebody with the same key may be about to publish it for the dead.
      if (!parts.words.inherit(i, word, by.me(), lease)) continue;
      clear_away(by.view(), parts, lease);
      ++repairs.claims;
    } else if (state == TaskState::claimed) {
      if (parts.words.unclaim(lease)) ++repairs.tasks;
    } else {
      const TaskState to = after_run(parts, i, RunEnd::crash);
      if (parts.words.settle(lease, RunEnd::crash, to)) ++repairs.tasks;
    }
  }
  // What it took over, and hints that it had in hand.
  restore_hints(parts);
  layout::TaskUser& user = parts.users[dead - 1];
  for (auto& cell : user.claimed) cell.store(0, std::memory_order_relaxed);
  wake(by.view(), space);
}

std::string difference(const core::TaskTableParts& is, const TableShape& asked) {
  std::string text;
  const auto differs = [&](const std::string& what, std::uint32_t a, std::uint32_t b) {
    if (a != b) text += (text.empty() ? "" : ", ") + what + " is " + std::to_string(a) + ", not " + std::to_string(b);
  };
  differs("capacity", is.capacity, asked.capacity);
  differs("inline payload", is.payload_room, asked.payload_room);
  differs("inline result", is.result_room, asked.result_room);
  return text;
}

}  // namespace

unsigned TableShape::ring_log2() const {
  return static_cast<unsigned>(std::bit_width(std::bit_ceil(std::uint64_t{capacity} * 2)) - 1);
}
std::uint32_t TableShape::record_bytes() const {
  return static_cast<std::uint32_t>(sizeof(layout::TaskRecord)) + payload_room + result_room;
}

Result<TableShape> table_shape_of(const TaskTableOptions& options) {
  const auto refuse = [](const std::string& what, std::uint64_t is, std::uint64_t from, std::uint64_t to) {
    return Error(ErrorCode::invalid_argument, "a task table's " + what + " is " + std::to_string(is) +
                                                  "; it must be " + std::to_string(from) + " to " + std::to_string(to));
  };
  if (options.capacity < 1 || options.capacity > layout::kTasksMax)
    return refuse("capacity", options.capacity, 1, layout::kTasksMax);
  if (options.payload_bytes > layout::kTaskInlineMax)
    return refuse("inline payload", options.payload_bytes, 0, layout::kTaskInlineMax);
  if (options.result_bytes > layout::kTaskInlineMax)
    return refuse("inline result", options.result_bytes, 0, layout::kTaskInlineMax);
  const auto up = [](std::uint32_t bytes) { return (bytes + kRoomStep - 1) / kRoomStep * kRoomStep; };
  return TableShape{options.capacity, up(options.payload_bytes), up(options.result_bytes)};
}

TablePlaces places_of(const TableShape& shape, std::uint32_t rows) {
  TablePlaces places;
  const std::uint64_t cells = (std::uint64_t{1} << shape.ring_log2()) * sizeof(layout::Word);
  const auto line_up = [](std::uint64_t offset) {
    return (offset + layout::kFalseSharingBytes - 1) / layout::kFalseSharingBytes * layout::kFalseSharingBytes;
  };
  places.users = sizeof(layout::TaskTableHeader);
  places.free = places.users + std::uint64_t{rows} * sizeof(layout::TaskUser);
  places.ready = line_up(places.free + cells);
  places.records = line_up(places.ready + cells);
  places.size_bytes = places.records + std::uint64_t{shape.capacity} * shape.record_bytes();
  return places;
}

bool table_of(const core::SegmentView& view, const core::ObjectSpace& space, core::TaskTableParts& parts) {
  if (space.size_bytes < sizeof(layout::TaskTableHeader)) return false;
  // One reading of what is written once: the header may be hostile, and may change.
  alignas(layout::TaskTableHeader) std::byte copy[sizeof(layout::TaskTableHeader)] = {};
  std::memcpy(copy, view.at<std::byte>(space.offset), offsetof(layout::TaskTableHeader, free_head));
  asm volatile("" : : "r"(copy) : "memory");  // the compiler may not go back to the segment
  const auto& h = *reinterpret_cast<const layout::TaskTableHeader*>(copy);
  if (h.magic != layout::kTaskTableMagic || h.generation != space.generation) return false;
  if (h.capacity < 1 || h.capacity > layout::kTasksMax) return false;
  for (const std::uint32_t room : {h.payload_room, h.result_room})
    if (room > layout::kTaskInlineMax || room % kRoomStep != 0) return false;
  const TableShape shape{h.capacity, h.payload_room, h.result_room};
  const TablePlaces places = places_of(shape, view.geometry().rows);
  if (h.rows != view.geometry().rows || h.ring_log2 != shape.ring_log2() || h.record_bytes != shape.record_bytes() ||
      h.users_offset != places.users || h.free_offset != places.free || h.ready_offset != places.ready ||
      h.records_offset != places.records || h.size_bytes != places.size_bytes || places.size_bytes > space.size_bytes)
    return false;
  parts = make_parts(view, space.offset, shape, places);
  return true;
}

Result<std::shared_ptr<core::TaskTableHandle>> open_table(std::shared_ptr<core::Attachment> attachment,
                                                          const std::string& name) {
  Result<core::PinnedObject> found = core::Directory(*attachment).open(name, "task table");
  if (!found) return found.error();
  return handle_of(std::move(attachment), name, *found);
}

Result<std::shared_ptr<core::TaskTableHandle>> declare_table(std::shared_ptr<core::Attachment> attachment,
                                                             const std::string& name, const TableShape& shape) {
  core::Directory directory(*attachment);
  for (int attempt = 0;; ++attempt) {
    Result<core::PinnedObject> object = directory.open(name, "task table");
    if (!object && object.error().code() == ErrorCode::not_found) {
      core::NewObject fresh{name, layout::ObjectKind::task_table, places_of(shape, attachment->view().geometry().rows).size_bytes,
                            [&](const core::ObjectSpace& space) { initialise(attachment->view(), space, shape); }};
      object = directory.create(fresh, "task table");
      // Somebody was faster: then it is there to be opened. Or it went again at once: then there is room for ours.
      const bool again = !object && (object.error().code() == ErrorCode::already_exists ||
                                     object.error().code() == ErrorCode::removed);
      if (again && attempt < 100) continue;
    }
    if (!object) return object.error();
    Result<std::shared_ptr<core::TaskTableHandle>> handle = handle_of(attachment, name, *object);
    if (!handle) return handle;
    if (const std::string text = difference((*handle)->parts, shape); !text.empty())
      return Error(ErrorCode::different, "task table \"" + name + "\" in segment \"" + attachment->name() +
                                             "\" was declared differently: its " + text +
                                             "; open it as it is (open_task_table), declare it the same way, or remove it first");
    return handle;
  }
}

const core::ObjectKindOperations kTableOperations = {sweep, wake, mark_removed, references};

}  // namespace shmq::objects
