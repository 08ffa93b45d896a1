#pragma once
// The oracle of the task table's explorations: which task a record is, and how its runs ended, noted in the
// very step in which its word changed. Every broken promise ends the execution with its name.

#include <array>
#include <cstdint>

#include "shmq/layout/task_table.hpp"
#include "sim.hpp"
#include "sim_hash.hpp"
#include "task_memory.hpp"

namespace task_test {

class Books {
 public:
  struct Record {
    std::uint64_t id = 0;                 // of the task that it is
    std::array<std::uint32_t, 8> ends{};  // of its runs, by RunEnd
    unsigned done = 0;
  };

  explicit Books(bool epochs_rise) : epochs_rise_(epochs_rise) {}

  std::uint64_t hash() const {
    std::uint64_t hash = swept_;
    for (const Record& r : records_) {
      hash = sim::mix(hash, r.id * 8 + r.done);
      for (const std::uint32_t n : r.ends) hash = sim::mix(hash, n);
    }
    for (const std::uint64_t id : asked_) hash = sim::mix(hash, id);
    return hash;
  }

  Record& at(unsigned index) { return records_[index]; }
  /// From here on `thread` may change the task `id` and no other one, in what it does not own.
  void asks(unsigned thread, std::uint64_t id) { asked_[thread] = id; }
  void has_swept(unsigned thread) { swept_ |= 1u << thread; }
  bool swept(unsigned thread) const { return (swept_ >> thread & 1) != 0; }

  /// A word changed.
  void change(unsigned index, std::uint64_t from, std::uint64_t to) {
    using enum shmq::layout::TaskState;
    namespace layout = shmq::layout;
    const unsigned thread = sim::World::current().running();
    Record& record = records_[index];
    const layout::TaskState was = layout::task_state(from), is = layout::task_state(to);
    sim::require(legal(was, is), "a transition that there is not");

    const bool same_epoch = (was == alloc && is == ready) || (was == claimed && is == running);
    sim::require(!epochs_rise_ || layout::word_epoch(to) ==
                                      layout::epoch_add(layout::word_epoch(from), same_epoch ? 0 : 1),
                 "an epoch that did not rise");
    if (layout::is_owned(was)) {
      const unsigned owner = layout::owner_of(from) - 1;
      sim::require(owner == thread || sim::crashed_now(owner) || (was == claimed && is == claimed),
                   "a task was taken from the living");
    } else if (asked_[thread] != 0) {
      sim::require(record.id == asked_[thread], "another task was changed than was asked for");
    }
    if (layout::is_owned(is))
      sim::require(layout::owner_of(to) == thread + 1, "a task was given to somebody else");

    if (was == alloc && is == ready) record = {layout::task_id(layout::word_epoch(to), index), {}, 0};
    const layout::RunEnd end = layout::is_owned(is) ? layout::RunEnd::none : layout::task_end(to);
    if (was == running) {
      sim::require(end != layout::RunEnd::none && record.done == 0, "a run of a task that was completed");
      sim::require(end != layout::RunEnd::crash || sim::crashed_now(layout::owner_of(from) - 1),
                   "a crash of the living");
      ++record.ends[static_cast<std::size_t>(end)];
      record.done += is == done;
      sim::require((is == done) == (end == layout::RunEnd::done), "done, and not completed");
    }
    if (end == layout::RunEnd::revived) record.ends = {};
  }

  /// T2, at each step: what the tally says, and the word where its end is not counted, is what the runs came
  /// to.
  void audit(unsigned index, std::uint64_t word, std::uint64_t tally) const {
    namespace layout = shmq::layout;
    const layout::TaskState state = layout::task_state(word);
    if (state == layout::TaskState::free || state == layout::TaskState::alloc) return;
    layout::Tally t = layout::tally_of(tally);
    if (!layout::is_owned(state) && layout::task_end(word) != layout::RunEnd::none &&
        layout::tally_tag(tally) != (layout::word_epoch(word) & layout::kTallyTagMask))
      t = Words::with(t, layout::task_end(word));
    const auto& ends = records_[index].ends;
    const auto of = [&](layout::RunEnd end) { return ends[static_cast<std::size_t>(end)]; };
    sim::require(t.failures == of(layout::RunEnd::failure) && t.crashes == of(layout::RunEnd::crash) &&
                     t.timeouts == of(layout::RunEnd::timeout) && t.releases == of(layout::RunEnd::release),
                 "the tally is not what the runs came to");
  }

 private:
  static bool legal(shmq::layout::TaskState was, shmq::layout::TaskState is) {
    using enum shmq::layout::TaskState;
    switch (was) {
      case free:
        return is == alloc;
      case alloc:
        return is == free || is == ready || is == alloc;
      case ready:
        return is == claimed || is == alloc || is == cancelled;
      case claimed:
        return is == claimed || is == running || is == ready;
      case running:
        return is == ready || is == done || is == dead || is == cancelled;
      case dead:
        return is == alloc || is == ready;
      case done:
      case cancelled:
        return is == alloc;
      default:
        return false;
    }
  }

  std::array<Record, records_max> records_{};
  std::array<std::uint64_t, sim::threads_max + 1> asked_{};
  unsigned swept_ = 0;
  bool epochs_rise_;
};

}  // namespace task_test
