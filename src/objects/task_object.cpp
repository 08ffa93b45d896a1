#include "objects/task_object.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "core/directory.hpp"
#include "objects/task_errors.hpp"
#include "objects/task_statistics.hpp"
#include "objects/task_times.hpp"
#include "objects/task_upkeep.hpp"
#include "shmq/core/event.hpp"
#include "shmq/core/task_figures.hpp"

namespace shmq::objects {

using layout::RunEnd;
using layout::TaskState;

namespace {

constexpr std::uint32_t kRoomStep = 64;
/// 255 steps of it fit a key.
constexpr std::chrono::nanoseconds kAgingMax = std::chrono::hours(24 * 365);

core::TaskTableParts make_parts(const core::SegmentView& view, std::uint64_t offset, const TableShape& shape,
                                const TablePlaces& places) {
  core::TaskTableParts parts;
  auto* header = view.at<layout::TaskTableHeader>(offset);
  const auto ring = [&](layout::Word& head, layout::Word& tail, std::uint64_t cells) {
    return core::ShmHintRing(
        core::ShmHintMemory(&head, &tail, view.at<layout::Word>(offset + cells), shape.ring_log2()));
  };
  parts.header = header;
  parts.names = view.at<layout::TaskNameFigures>(offset + places.names);
  parts.users = view.at<layout::TaskUser>(offset + places.users);
  parts.words = core::ShmTaskWords(core::ShmTaskMemory(view.at<layout::TaskRecord>(offset + places.records)));
  parts.bodies = view.at<std::byte>(offset + places.bodies);
  parts.free = ring(header->free_head, header->free_tail, places.free);
  parts.due = core::ShmMinTree({view.at<layout::Word>(offset + places.due), core::MinTreeShape(shape.capacity)});
  if (shape.policy == layout::TaskPolicy::fifo)
    parts.ready = ring(header->ready_head, header->ready_tail, places.ready);
  else
    parts.ready_tree = core::ShmMinTree({view.at<layout::Word>(offset + places.ready), core::MinTreeShape(shape.capacity)});
  if (shape.keys != 0)
    parts.key_index = core::ShmKeyIndex(
        {view.at<layout::KeyBucket>(offset + places.keys), layout::key_buckets_log2(shape.keys)});
  parts.capacity = shape.capacity;
  parts.body_bytes = shape.body_bytes();
  parts.payload_room = shape.payload_room;
  parts.result_room = shape.result_room;
  parts.rows = view.geometry().rows;
  parts.policy = shape.policy;
  parts.errors_kept = shape.errors;
  parts.names_kept = shape.names;
  parts.keys = shape.keys;
  parts.aging_ns = shape.aging_ns;
  return parts;
}

void initialise(const core::SegmentView& view, const core::ObjectSpace& space, const TableShape& shape) {
  const TablePlaces places = places_of(shape, view.geometry().rows);
  std::memset(view.at<std::byte>(space.offset), 0, places.size_bytes);
  auto& h = *view.at<layout::TaskTableHeader>(space.offset);
  h.generation = space.generation;
  h.capacity = shape.capacity;
  h.ring_log2 = shape.ring_log2();
  h.body_bytes = shape.body_bytes();
  h.payload_room = shape.payload_room;
  h.result_room = shape.result_room;
  h.rows = view.geometry().rows;
  h.policy = shape.policy;
  h.errors = shape.errors;
  h.names = shape.names;
  h.keys = shape.keys;
  h.aging_ns = shape.aging_ns;
  h.users_offset = places.users;
  h.names_offset = places.names;
  h.free_offset = places.free;
  h.ready_offset = places.ready;
  h.due_offset = places.due;
  h.keys_offset = places.keys;
  h.records_offset = places.records;
  h.bodies_offset = places.bodies;
  h.size_bytes = places.size_bytes;
  core::TaskTableParts parts = make_parts(view, space.offset, shape, places);
  h.real_offset.store(static_cast<std::uint64_t>(real_offset_ns()), std::memory_order_relaxed);
  h.keep_max.store(shape.keep_max, std::memory_order_relaxed);
  for (core::ShmMinTree* tree : {&parts.due, &parts.ready_tree})
    for (std::uint64_t i = 0; i < tree->memory().shape().nodes(); ++i)
      tree->memory().node(i).store(core::kNoKey, std::memory_order_relaxed);
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
  begin_figures(handle->parts, attachment->me());
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
      if (!parts.words.unclaim(lease)) continue;
      announce_ready(parts, i);  // at once: what follows takes the longer the larger the table is
      ++repairs.tasks;
    } else {
      note_error(parts, lease, {RunEnd::crash, "its worker died"});
      const TaskState to = after_run(parts, i, RunEnd::crash);
      if (!parts.words.settle(lease, RunEnd::crash, to)) continue;
      core::count_figure(parts.users[by.me().id - 1].figures.ended[static_cast<unsigned>(RunEnd::crash)]);
      begin_state(parts, i);
      if (to == TaskState::ready) announce_ready(parts, i);
      ++repairs.tasks;
    }
  }
  // Nobody else puts it there: a participant that has the same id later has another incarnation.
  std::uint64_t keeper = parts.header->timekeeper.load(std::memory_order_acquire);
  if (layout::owner_of(keeper) == dead) parts.header->timekeeper.compare_exchange_strong(keeper, 0, std::memory_order_seq_cst);
  // What it took over, and hints that it had in hand.
  restore_hints(parts);
  layout::TaskUser& user = parts.users[dead - 1];
  for (auto& cell : user.claimed) cell.store(0, std::memory_order_relaxed);
  retire_figures(parts, dead);
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
  differs("number of errors kept", is.errors_kept, asked.errors);
  differs("number of names with figures", is.names_kept, asked.names);
  differs("number of keys", is.keys, asked.keys);
  if (is.policy != asked.policy) {
    text += (text.empty() ? "" : ", ") + std::string("policy is ") + to_string(is.policy) + ", not " + to_string(asked.policy);
  } else if (is.policy == layout::TaskPolicy::priority && is.aging_ns != asked.aging_ns) {
    text += (text.empty() ? "" : ", ") + std::string("aging is ") + std::to_string(is.aging_ns) + " ns, not " + std::to_string(asked.aging_ns);
  }
  return text;
}

}  // namespace

unsigned TableShape::ring_log2() const {
  return static_cast<unsigned>(std::bit_width(std::bit_ceil(std::uint64_t{capacity} * 2)) - 1);
}
std::uint32_t TableShape::body_bytes() const {
  return static_cast<std::uint32_t>(sizeof(layout::TaskBody)) + payload_room + result_room +
         errors * static_cast<std::uint32_t>(sizeof(layout::TaskError));
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
  if (options.errors > layout::kTaskErrorsMax) return refuse("number of errors kept", options.errors, 0, layout::kTaskErrorsMax);
  if (options.names > layout::kTaskNamesMax) return refuse("number of names with figures", options.names, 0, layout::kTaskNamesMax);
  if (options.keys > layout::kTasksMax) return refuse("number of keys", options.keys, 0, layout::kTasksMax);
  if (options.aging.count() < 0 || options.aging > kAgingMax)
    return refuse("aging, in ns,", static_cast<std::uint64_t>(options.aging.count()), 0, static_cast<std::uint64_t>(kAgingMax.count()));
  if (options.policy > layout::TaskPolicy::edf) return refuse("policy", static_cast<std::uint64_t>(options.policy), 0, 2);
  const auto up = [](std::uint32_t bytes) { return (bytes + kRoomStep - 1) / kRoomStep * kRoomStep; };
  return TableShape{options.capacity, up(options.payload_bytes), up(options.result_bytes), options.policy,
                    options.errors,   options.names, options.keys, options.keep_max,         options.aging.count()};
}

TablePlaces places_of(const TableShape& shape, std::uint32_t rows) {
  TablePlaces places;
  const std::uint64_t cells = (std::uint64_t{1} << shape.ring_log2()) * sizeof(layout::Word);
  const auto line_up = [](std::uint64_t offset) {
    return (offset + layout::kFalseSharingBytes - 1) / layout::kFalseSharingBytes * layout::kFalseSharingBytes;
  };
  places.users = sizeof(layout::TaskTableHeader);
  places.names = places.users + std::uint64_t{rows} * sizeof(layout::TaskUser);
  // One more: of those whose row has gone.
  places.free = line_up(places.names + (std::uint64_t{shape.names} + 1) * sizeof(layout::TaskNameFigures));
  const std::uint64_t nodes = core::MinTreeShape(shape.capacity).nodes() * sizeof(layout::Word);
  places.ready = line_up(places.free + cells);
  places.due = line_up(places.ready + (shape.policy == layout::TaskPolicy::fifo ? cells : nodes));
  places.keys = line_up(places.due + nodes);
  const std::uint64_t buckets = shape.keys == 0 ? 0 : std::uint64_t{1} << layout::key_buckets_log2(shape.keys);
  places.records = line_up(places.keys + buckets * sizeof(layout::KeyBucket));
  places.bodies = line_up(places.records + std::uint64_t{shape.capacity} * sizeof(layout::TaskRecord));
  places.size_bytes = places.bodies + std::uint64_t{shape.capacity} * shape.body_bytes();
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
  if (h.errors > layout::kTaskErrorsMax || h.names > layout::kTaskNamesMax || h.keys > layout::kTasksMax || h.policy > layout::TaskPolicy::edf ||
      h.aging_ns < 0 || h.aging_ns > kAgingMax.count())
    return false;
  const TableShape shape{h.capacity, h.payload_room, h.result_room, h.policy, h.errors, h.names, h.keys, 0, h.aging_ns};
  const TablePlaces places = places_of(shape, view.geometry().rows);
  if (h.rows != view.geometry().rows || h.ring_log2 != shape.ring_log2() || h.body_bytes != shape.body_bytes() ||
      h.users_offset != places.users || h.names_offset != places.names || h.free_offset != places.free ||
      h.ready_offset != places.ready || h.due_offset != places.due || h.keys_offset != places.keys ||
      h.records_offset != places.records || h.bodies_offset != places.bodies || h.size_bytes != places.size_bytes ||
      places.size_bytes > space.size_bytes)
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
