// A segment: one named piece of shared memory that holds many named objects.
//
// Thread and process safety: a Segment may be copied and used from any thread. Each create/open makes an
// attachment of its own, with a participant row of its own; copies and every handle made from it share that
// attachment, and the last of them detaches. A child of fork() must attach anew: inherited handles answer
// `detached`.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "shmq/core/attachment.hpp"
#include "shmq/options.hpp"
#include "shmq/queue.hpp"
#include "shmq/result.hpp"
#include "shmq/tasks.hpp"

namespace shmq {

using Repairs = core::Repairs;

class Segment {
 public:
  /// Creates it; already_exists where the name is taken. It appears complete or not at all, with all of its
  /// memory reserved. no_space says how much is needed, how much there is and what to raise.
  static Result<Segment> create(const std::string& name, const SegmentOptions& options = {},
                                const AttachOptions& attach = {});
  /// Opens it; not_found, permission, incompatible, corrupt.
  static Result<Segment> open(const std::string& name, const AttachOptions& attach = {});
  /// Opens it, or creates it where there is none. Where there is one that was declared otherwise:
  /// `different`, with what differs.
  static Result<Segment> open_or_create(const std::string& name, const SegmentOptions& options = {},
                                        const AttachOptions& attach = {});
  /// Frees the name at once; who uses the segment gets `removed` from every call, and the memory goes with
  /// the last of them.
  static Status remove(const std::string& name);
  /// Names of all segments on this host.
  static std::vector<std::string> list();
  /// Removes what creators that were killed half-way left behind; returns the file names. Every create does
  /// this too.
  static std::vector<std::string> collect_leftovers();

  const std::string& name() const;
  std::uint64_t size_bytes() const;

  /// Declares a queue: creates it, or opens it where it is declared the same way already; `different`
  /// otherwise.
  Result<Queue<void>> queue(const std::string& name, const QueueOptions& options = {});
  template <class T>
  Result<Queue<T>> queue(const std::string& name, const QueueOptions& options = {});
  /// Opens a queue that exists.
  Result<Queue<void>> open_queue(const std::string& name);
  template <class T>
  Result<Queue<T>> open_queue(const std::string& name);
  /// Frees the name at once; who uses the queue gets `removed`. What was in it is gone.
  Status remove_queue(const std::string& name);
  /// Names of all queues.
  std::vector<std::string> queues() const;

  /// Declares a task table: creates it, or opens it where it is declared the same way already; `different` otherwise.
  Result<TaskTable> task_table(const std::string& name, const TaskTableOptions& options = {});
  /// Opens a task table that exists.
  Result<TaskTable> open_task_table(const std::string& name);
  /// Frees the name at once; who uses the table gets `removed`. The tasks in it are gone.
  Status remove_task_table(const std::string& name);
  /// Names of all task tables.
  std::vector<std::string> task_tables() const;

  /// Mends what dead participants held. Waiting calls do this by themselves; nothing depends on it being
  /// called.
  Repairs reap();

 private:
  explicit Segment(std::shared_ptr<core::Attachment> attachment) : attachment_(std::move(attachment)) {}
  Result<Queue<void>> declare(const std::string& name, QueueOptions options, std::uint32_t element_bytes);
  Result<Queue<void>> open_elements(const std::string& name, std::uint32_t element_bytes);
  std::vector<std::string> names_of(bool tables) const;
  std::shared_ptr<core::Attachment> attachment_;
};

template <class T>
Result<Queue<T>> Segment::queue(const std::string& name, const QueueOptions& options) {
  Result<Queue<void>> bytes = declare(name, options, sizeof(T));
  if (!bytes) return bytes.error();
  return Queue<T>(std::move(*bytes));
}

template <class T>
Result<Queue<T>> Segment::open_queue(const std::string& name) {
  Result<Queue<void>> bytes = open_elements(name, sizeof(T));
  if (!bytes) return bytes.error();
  return Queue<T>(std::move(*bytes));
}

}  // namespace shmq
