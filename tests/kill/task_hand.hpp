// What a process has of the task table "t", and what it does with it when it is asked.
#pragma once

#include "shmq/shmq.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace killtest {

/// What a payload or result of that value consists of; read_payload() throws where it is not whole.
void write_payload(std::span<std::byte> data, std::uint64_t value);
std::uint64_t read_payload(std::span<const std::byte> data);

/// Of a result: none at all, inline, or in a block, by the value of the task.
std::size_t result_bytes_of(std::uint64_t value);

class TaskHand {
 public:
  explicit TaskHand(shmq::Segment& segment);

  /// submit FIRST [COUNT [BYTES [FAILURES_MAX [CRASHES_MAX OPTION...]]]]   blocking; the ids. Options: see with_option()
  /// trysubmit VALUE            answers the id, or nothing where the table is full
  /// key KEY VALUE              submits with that key; the id, and 1 where it is of an earlier task, else 0
  /// hoard COUNT                claims COUNT, starts one and keeps it running
  /// finish                     completes what it keeps running; answers what work answers
  /// failrun                    starts a task and fails it
  /// work [past]                completes tasks, or cancels those that were asked to stop, until none is left; `past`: none
  ///                            but those that run or are being written. Answers ID/OUTCOME of each
  /// idle                       waits for a task for longer than a worker waits before it looks at all records, and works
  /// cancel ID | remove ID | kick ID   answers the outcome
  /// clear                      removes what is over; answers the ids
  /// fillblocks COUNT           takes so many blocks, for tasks of a table "w"
  /// emptyblocks                gives them back
  /// result ID                  BYTES/VALUE, or "none"
  /// declare NAME | drop NAME   of another table, whose handle is not kept
  /// use NAME                   submits, runs and removes a task of it
  /// said                       what the victim noted
  std::string handle(std::string_view request);

  shmq::TaskTable& table() { return table_; }
  /// Without waiting where the limit is 0.
  shmq::Submitted submit(std::uint64_t value, std::size_t bytes, std::chrono::milliseconds limit,
                         const shmq::TaskOptions& options = {});
  /// Claims `batch` at once, and starts one, which is kept in `runs`. Throws where there is none.
  void start(std::uint32_t batch = 1);
  /// Completes the run, with the result that its value asks for. ID/OUTCOME.
  std::string complete(shmq::Run& run);
  static shmq::Outcome done(shmq::Run& run, std::size_t bytes);

  std::vector<shmq::Run> runs;
  std::optional<shmq::TaskWorker> worker;
  std::string said;

 private:
  std::string work(bool past);
  std::size_t left(bool past) const;
  shmq::Segment& segment_;
  shmq::TaskTable table_;
};

shmq::TaskTableOptions table_options(shmq::TaskPolicy policy = shmq::TaskPolicy::fifo);
/// hold, forget, or delay= expires= keepfor= backoff= limit= and milliseconds.
shmq::TaskOptions with_option(shmq::TaskOptions options, const std::string& word);

}  // namespace killtest
