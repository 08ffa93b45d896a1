#pragma once
// A key index of one bucket, the records that it names, and the processes that submit tasks with keys, end
// them, run them and sweep the dead. What submitters and reapers do is what src/objects/task_*.cpp do.

#include <array>
#include <cstdint>
#include <string>

#include "key_memory.hpp"
#include "sim_hash.hpp"

namespace key_test {

struct KeyCast {
  // Of each thread. '1' … '3': submits a task with that key; 'x': ends a task and clears its record away;
  // 'r': runs one, which fails; "R" alone: a reaper.
  std::array<const char*, 4> scripts{};
  const char* there = "";  // keys of the tasks that are there at first, each in a record of its own
  unsigned cells = 2;
  unsigned records = 3;
  shmq::layout::KeyScope scope = shmq::layout::KeyScope::until_done;
  std::uint64_t epoch = 5;   // of the records at first
  bool looks_first = false;  // submitters look for the key before they have a record
  Flaw flaw = Flaw::none;
};

class KeyScenario : public sim::Scenario, private Listener {
 public:
  explicit KeyScenario(const KeyCast& cast);

  unsigned threads() const override { return threads_; }
  void run(unsigned thread) override;
  void check() override;
  std::uint64_t shadow() const override;
  std::string name(unsigned thread) const override;

 private:
  using Lease = shmq::core::Lease;
  struct Answer {
    shmq::core::KeyStatus status = shmq::core::KeyStatus::absent;  // absent: no free record
    std::uint64_t id = 0;
  };
  struct Records;  // what the judge asks
  static constexpr unsigned tasks_max = 16;
  struct Task {
    std::uint64_t id = 0, key = 0;
    bool live = false;  // keeps others with its key out
  };
  static shmq::layout::Owner owner(unsigned thread) { return {thread + 1, 1}; }

  void changed(const Proxy& proxy, std::uint64_t from, std::uint64_t to) override;
  void word_changed(unsigned index, std::uint64_t from, std::uint64_t to);
  Task* task_of(unsigned index);
  /// Whether each cell names a task that keeps others out, or that is being submitted.
  bool is_full() const;
  void look();

  bool allocate(unsigned thread, Lease& lease);
  void write(const Lease& lease, std::uint64_t key);
  Answer place(unsigned thread, std::uint64_t key);
  Answer submit(unsigned thread, std::uint64_t key);
  void clear_away(const Lease& lease);
  void end(unsigned thread);
  void run_one(unsigned thread);
  void sweep(unsigned thread, unsigned dead);
  void reap(unsigned thread);

  KeyCast cast_;
  unsigned threads_ = 0;
  KeyWords words_;
  Index index_;
  Words records_;
  // The oracle's books.
  std::array<Task, tasks_max> tasks_{};
  unsigned count_ = 0;
  std::array<std::uint32_t, sim::threads_max + 1>
      during_{};           // tasks that were live during a thread's call, a bit each
  unsigned was_full_ = 0;  // during a thread's call, a bit for each thread
};

}  // namespace key_test
