#pragma once
// The words of a task table, its two rings of hints, and the processes that use them, each a few times and
// without ever waiting; only reapers wait, for the dead. What they do with words and rings is what
// src/objects/task_*.cpp do.

#include <array>
#include <cstdint>
#include <string>

#include "task_books.hpp"
#include "task_memory.hpp"

namespace task_test {

enum class Part : std::uint8_t {
  none,
  submitter,  // submits
  worker,     // claims, starts, and completes or fails
  failing,    // a worker whose runs all fail
  giver,      // claims, and gives back
  thief,      // takes over what others claimed, and completes it
  canceller,  // cancels the first task
  remover,    // removes the first task
  kicker,     // revives the first task
  idler,      // puts back hints, as an idle worker does once in a while
  reaper,
};

enum class Init : std::uint8_t {
  none,
  free,
  ready,
  failed,  // READY, after a failure that is not counted yet
  dead,    // DEAD, after a failure that is not counted yet
  done,
};

struct TaskCast {
  std::array<Part, 5> parts{};
  unsigned rounds = 1;  // of everybody but reapers
  std::array<Init, records_max> records{Init::free};
  unsigned failures_max = 5, crashes_max = 5;
  std::uint64_t epoch = 5;                     // of the records at first
  std::uint64_t start = std::uint64_t{0} - 3;  // of the positions of both rings
  unsigned stale = 0;                          // hints at record 0 in the ready ring, for nothing
  bool epochs_rise = true;                     // T1 by the letter
  Flaw flaw = Flaw::none;
};

class TaskScenario : public sim::Scenario, private Listener {
 public:
  explicit TaskScenario(const TaskCast& cast);

  unsigned threads() const override { return threads_; }
  void run(unsigned thread) override;
  void check() override;
  std::uint64_t shadow() const override;
  std::string name(unsigned thread) const override;

 private:
  using Lease = shmq::core::Lease;
  static shmq::layout::Owner owner(unsigned thread) { return {thread + 1, 1}; }

  void changed(const Proxy& proxy, std::uint64_t from, std::uint64_t to) override;
  void set_up(unsigned index);
  void act(unsigned thread, unsigned round);
  void hint(Ring& ring, std::uint32_t index);
  bool pop(Ring& ring, std::uint32_t& index);
  bool restore_lost();
  void restore_hints();
  bool allocate(unsigned thread, Lease& lease);
  bool claim(unsigned thread, Lease& lease);
  void submit(unsigned thread);
  void work(Lease lease, shmq::layout::RunEnd end);
  void take_over(unsigned thread);
  bool find(std::uint64_t id, std::uint32_t index, std::uint64_t& word);
  void cancel(unsigned thread);
  void remove(unsigned thread);
  void kick(unsigned thread);
  void clear_away(const Lease& lease);
  shmq::layout::TaskState after_run(std::uint32_t index, shmq::layout::RunEnd end);
  void reap(unsigned thread);
  void sweep(unsigned thread, unsigned dead);
  bool hinted_at(const RingWords& ring, std::uint32_t index) const;

  TaskCast cast_;
  unsigned threads_ = 0, records_ = 0;
  Books books_;
  RingWords free_words_, ready_words_;
  RecordWords record_words_;
  Ring free_, ready_;
  Words words_;
  std::array<std::uint64_t, records_max> first_{};  // ids of the tasks that are there at first
};

}  // namespace task_test
