// What was sent and what came: at least once, never made up, repeats marked.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace killtest {

class Ledger {
 public:
  /// Published for certain: comes at least once.
  void must(std::uint64_t value, std::uint64_t count = 1) {
    for (std::uint64_t i = 0; i < count; ++i) must_.insert(value + i);
  }
  /// Perhaps published, or perhaps released by the victim: may come or not. Everything else never comes.
  void may(std::uint64_t value) { may_.insert(value), must_.erase(value); }
  /// Released for certain: it does not come any more.
  void never(std::uint64_t value) { never_.insert(value), must_.erase(value), may_.erase(value); }
  /// Perhaps handed to the victim: it may come marked, or twice, the second time marked.
  void touched(std::uint64_t value) { touched_.insert(value); }
  /// Handed to the victim for certain: if it comes, it is marked.
  void seen(std::uint64_t value) { touched(value), seen_.insert(value); }

  /// The messages of this queue that were sent to it come in the order of their positions, which is also that of their
  /// values.
  void in_order(const std::string& queue, const std::string& generation) { ordered_[queue] = generation + ":"; }

  /// Receipts as a Party answers them.
  void add(const std::string& queue, const std::string& receipts);
  /// Throws a Failure that says what is wrong.
  void verify() const;

 private:
  struct Receipt {
    std::string queue;
    bool marked;
    std::string id;
  };
  void note_order(const std::string& queue, std::uint64_t value, const std::string& id);

  std::map<std::string, std::string> ordered_;  // the beginning of the ids that the queue itself gives
  std::map<std::string, std::pair<std::uint64_t, std::uint64_t>> last_;  // position and value
  std::string disorder_;
  std::set<std::uint64_t> must_, may_, never_, touched_, seen_;
  std::map<std::uint64_t, std::vector<Receipt>> came_;
};

}  // namespace killtest
