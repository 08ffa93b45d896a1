// One task that work has in hand: the run and the command for it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "child.hpp"
#include "command_line.hpp"
#include "left_behind.hpp"
#include "shmq/tasks.hpp"

namespace shmq::cli {

struct WorkOptions {
  std::size_t slots = 1;
  std::int64_t grace_ns = 10'000'000'000;
  std::optional<std::int64_t> timeout_ns;
  std::size_t result_max = std::size_t{1} << 20;
  bool whole = false;
  bool until_drained = false;
  std::optional<std::uint64_t> count;
};

class WorkJob {
 public:
  /// Starts the command. Where that cannot be, the run has failed, and advance() is true at once.
  WorkJob(Run run, const CommandLine& command, const WorkOptions& options, int epoll, CommandPid& running);

  TaskId id() const { return id_; }
  /// Looks after the command, and ends the run after it. True once both are over.
  bool advance();
  /// Ends the command, and gives the run back.
  void stop();
  /// When advance() must be called at the latest; INT64_MAX: whenever.
  std::int64_t due_ns() const;

 private:
  /// Why the command was ended, where it did not end by itself.
  enum class Why { none, stopped, cancelled, lost, timeout, too_large };

  void end_for(Why why);
  void watch();
  void take(std::string_view output);
  void take_errors(std::string_view text);
  bool settle();
  bool complete();
  void fail(const Ending& ending);
  std::string label() const;

  Run run_;
  const TaskId id_;
  const WorkOptions& options_;
  CommandPid& running_;
  Child child_;
  std::int64_t ends_ns_ = INT64_MAX;  // --timeout
  Why why_ = Why::none;
  bool started_ = false;
  std::string result_;
  std::string last_line_, line_;  // of standard error: the last one that says something, and the one that goes on
};

}  // namespace shmq::cli
