#include "shmq/segment.hpp"

#include "base/text.hpp"
#include "core/directory.hpp"
#include "core/segment_files.hpp"
#include "objects/queue_object.hpp"
#include "objects/task_object.hpp"
#include "os/shared_memory.hpp"

namespace shmq {

namespace {

/// What differs between a segment and a declaration of it, for people; empty where nothing does.
std::string difference(const core::Geometry& is, const core::Geometry& asked, bool blocks_asked) {
  std::string text;
  const auto differs = [&](const std::string& what, const std::string& a, const std::string& b) {
    if (a != b) text += (text.empty() ? "" : ", ") + what + " is " + a + ", not " + b;
  };
  const auto classes = [](const core::Geometry& g) {
    std::string list;
    for (const auto& c : g.block_classes())
      list += (list.empty() ? "" : "+") + std::to_string(c.count) + "x" + base::size_text(c.block_bytes);
    return list.empty() ? std::string("none") : list;
  };
  differs("size", base::size_text(is.size_bytes), base::size_text(asked.size_bytes));
  differs("participants_max", std::to_string(is.participants_max), std::to_string(asked.participants_max));
  differs("objects_max", std::to_string(is.objects_max), std::to_string(asked.objects_max));
  if (blocks_asked) differs("the block pool", classes(is), classes(asked));
  return text;
}

}  // namespace

Result<Segment> Segment::create(const std::string& name, const SegmentOptions& options,
                                const AttachOptions& attach) {
  auto attachment = core::Attachment::create(name, options, attach);
  if (!attachment) return attachment.error();
  return Segment(std::move(*attachment));
}

Result<Segment> Segment::open(const std::string& name, const AttachOptions& attach) {
  auto attachment = core::Attachment::open(name, attach);
  if (!attachment) return attachment.error();
  return Segment(std::move(*attachment));
}

Result<Segment> Segment::open_or_create(const std::string& name, const SegmentOptions& options,
                                        const AttachOptions& attach) {
  const Result<core::Geometry> asked = core::lay_out(options);
  if (!asked) return asked.error();
  for (int attempt = 0;; ++attempt) {
    Result<Segment> opened = open(name, attach);
    if (opened) {
      const std::string text =
          difference(opened->attachment_->view().geometry(), *asked, options.blocks.has_value());
      if (text.empty()) return opened;
      return Error(ErrorCode::different, "segment \"" + name + "\" was created differently: its " + text +
                                             "; ask for the same, or remove it first (shmq rm " + name + ")");
    }
    if (opened.error().code() != ErrorCode::not_found) return opened;
    Result<Segment> created = create(name, options, attach);
    // Somebody was faster: then it is there to be opened.
    if (created || created.error().code() != ErrorCode::already_exists || attempt >= 100) return created;
  }
}

Status Segment::remove(const std::string& name) { return core::remove_segment_file(name); }

std::vector<std::string> Segment::list() {
  std::vector<std::string> names = os::list_files(os::kSegmentPrefix);
  for (std::string& name : names) name.erase(0, std::string_view(os::kSegmentPrefix).size());
  return names;
}

std::vector<std::string> Segment::collect_leftovers() { return core::collect_temporaries(); }

const std::string& Segment::name() const { return attachment_->name(); }
std::uint64_t Segment::size_bytes() const { return attachment_->view().geometry().size_bytes; }

namespace {

std::optional<Error> unusable(const core::Attachment& attachment) {
  if (attachment.detached())
    return Error(ErrorCode::detached, "segment \"" + attachment.name() +
                                          "\" was opened before a fork(): open it again in the child");
  if (attachment.view().removed())
    return Error(ErrorCode::removed, "segment \"" + attachment.name() + "\" was removed");
  return std::nullopt;
}

}  // namespace

Result<Queue<void>> Segment::declare(const std::string& name, QueueOptions options,
                                     std::uint32_t element_bytes) {
  if (auto error = unusable(*attachment_)) return *error;
  const Result<objects::QueueShape> shape = objects::shape_of(options, element_bytes);
  if (!shape) return shape.error();
  auto handle = objects::declare_queue(attachment_, name, *shape);
  if (!handle) return handle.error();
  return Queue<void>(std::move(*handle));
}

Result<Queue<void>> Segment::open_elements(const std::string& name, std::uint32_t element_bytes) {
  if (auto error = unusable(*attachment_)) return *error;
  auto handle = objects::open_queue(attachment_, name, element_bytes);
  if (!handle) return handle.error();
  return Queue<void>(std::move(*handle));
}

Result<Queue<void>> Segment::queue(const std::string& name, const QueueOptions& options) {
  return declare(name, options, 0);
}
Result<Queue<void>> Segment::open_queue(const std::string& name) { return open_elements(name, 0); }

Status Segment::remove_queue(const std::string& name) {
  if (auto error = unusable(*attachment_)) return *error;
  return core::Directory(*attachment_).remove(name, "queue");
}

Result<TaskTable> Segment::task_table(const std::string& name, const TaskTableOptions& options) {
  if (auto error = unusable(*attachment_)) return *error;
  const Result<objects::TableShape> shape = objects::table_shape_of(options);
  if (!shape) return shape.error();
  auto handle = objects::declare_table(attachment_, name, *shape);
  if (!handle) return handle.error();
  return TaskTable(std::move(*handle));
}
Result<TaskTable> Segment::open_task_table(const std::string& name) {
  if (auto error = unusable(*attachment_)) return *error;
  auto handle = objects::open_table(attachment_, name);
  if (!handle) return handle.error();
  return TaskTable(std::move(*handle));
}
Status Segment::remove_task_table(const std::string& name) {
  if (auto error = unusable(*attachment_)) return *error;
  return core::Directory(*attachment_).remove(name, "task table", true);
}

std::vector<std::string> Segment::names_of(bool tables) const {
  std::vector<std::string> names;
  if (attachment_->detached()) return names;
  core::Directory(*attachment_).for_each([&](const core::ObjectSpace& space, layout::ObjectKind kind) {
    if ((kind == layout::ObjectKind::task_table) != tables) return;
    const layout::DirectoryEntry& entry = attachment_->view().entry(space.entry);
    if (static_cast<layout::EntryState>(layout::word_state(entry.word.load(std::memory_order_acquire))) ==
        layout::EntryState::live)
      names.push_back(entry.name.get());
  });
  return names;
}
std::vector<std::string> Segment::queues() const { return names_of(false); }
std::vector<std::string> Segment::task_tables() const { return names_of(true); }

Repairs Segment::reap() { return attachment_->reap(); }

}  // namespace shmq
