// Tasks that were submitted here, and whose results come out in the order of their submission.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "records.hpp"
#include "shmq/tasks.hpp"
#include "signals.hpp"

namespace shmq::cli {

/// One thread: the one that made the Interruption.
class TasksInOrder {
 public:
  /// `keep`: tasks stay in the table after their result was written.
  TasksInOrder(const TaskTable& table, const Interruption& interruption, Framing framing, bool keep)
      : table_(table), interruption_(interruption), framing_(framing), keep_(keep) {}

  void add(TaskId id) { waiting_.push_back(id); }
  /// How many were added whose result is not written.
  std::size_t left() const { return waiting_.size() + written_out_.size(); }
  std::uint64_t written() const { return next_ - written_out_.size(); }
  /// "1 result was written".
  std::string written_text() const;
  /// How many of those did not get done.
  std::uint64_t failed() const { return failed_; }

  /// Waits up to so long for the oldest one to be over, and writes the results of all that are over then: of one that did
  /// not get done nothing but the terminator, and why, to standard error. What was written is removed from the table.
  /// Throws Failure where the table is gone, or standard output takes no more.
  void pass_on(std::chrono::nanoseconds at_most);
  /// Nobody reads the results any more.
  bool reader_gone() const { return reader_gone_; }

 private:
  void gather(TaskId id);
  void write_out();

  TaskTable table_;
  const Interruption& interruption_;
  const Framing framing_;
  const bool keep_;
  std::deque<TaskId> waiting_;       // the oldest first
  std::vector<TaskId> written_out_;  // in text_
  std::string text_;
  std::uint64_t next_ = 0;  // how many were gathered
  std::uint64_t failed_ = 0;
  bool reader_gone_ = false;
};

}  // namespace shmq::cli
