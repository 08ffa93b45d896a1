// The items of map that are in its table: submitted, and not collected yet.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "shmq/tasks.hpp"

namespace shmq::cli {

class MapFlights {
 public:
  MapFlights(TaskTable& table, bool keep_order) : table_(table), keep_order_(keep_order) {}

  /// Puts the item into the table. full, no_block: not just now. Numbers go up by one.
  Outcome submit(std::uint64_t number, const std::string& item);
  /// What the job log will want to know of the item that was submitted last.
  void remember(std::uint64_t number, std::string item) { flights_[number].item = std::move(item); }

  /// The task of this number is over; again, or of none that is here: nothing happens.
  void note_over(std::uint64_t number);
  /// Looks at each task. A worker that is killed between its completion and its word to the parent, and a task that is
  /// given up because its workers were killed, tell nobody.
  void look_everywhere();

  /// An item that no task can be made of; it is over at once, and its turn comes as that of others does.
  void refuse(std::uint64_t number) {
    flights_[number] = {};
    note_over(number);
  }

  struct Flight {
    std::uint64_t number = 0;
    TaskId id = 0;  // 0: it was refused
    std::string item;
  };
  /// The next one whose task is over: in order of completion, or of submission where order is to be kept.
  std::optional<Flight> take_over();

  /// take_over() has one.
  bool ready() const { return keep_order_ ? over_.contains(next_) : !in_order_of_completion_.empty(); }
  bool empty() const { return flights_.empty(); }
  std::size_t size() const { return flights_.size(); }
  std::size_t over() const { return over_.size(); }

 private:
  struct Entry {
    TaskId id = 0;
    std::string item;
  };
  TaskTable& table_;
  const bool keep_order_;
  std::unordered_map<std::uint64_t, Entry> flights_;
  std::unordered_set<std::uint64_t> over_;
  std::deque<std::uint64_t> in_order_of_completion_;
  std::uint64_t next_ = 1;  // where order is kept
};

}  // namespace shmq::cli
