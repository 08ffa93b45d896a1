#include "ledger.hpp"

#include "failure.hpp"

#include <algorithm>
#include <sstream>

namespace killtest {

void Ledger::add(const std::string& queue, const std::string& receipts) {
  std::istringstream in(receipts);
  for (std::string word; in >> word;) {
    const auto slash = word.find('/');
    const std::uint64_t value = std::stoull(word.substr(0, slash));
    const std::string id = word.substr(slash + 3);
    came_[value].push_back({queue, word.at(slash + 1) == '1', id});
    note_order(queue, value, id);
  }
}

void Ledger::note_order(const std::string& queue, std::uint64_t value, const std::string& id) {
  const auto own = ordered_.find(queue);
  if (own == ordered_.end() || !id.starts_with(own->second)) return;
  const std::uint64_t position = std::stoull(id.substr(own->second.size()));
  const auto before = last_.find(queue);
  if (before != last_.end() && disorder_.empty()) {
    const auto [last_position, last_value] = before->second;
    if (static_cast<std::int64_t>(position - last_position) <= 0 || value <= last_value)
      disorder_ = "message " + std::to_string(value) + " at position " + std::to_string(position) + " came from " +
                  queue + " after message " + std::to_string(last_value) + " at " + std::to_string(last_position);
  }
  last_[queue] = {position, value};
}

void Ledger::verify() const {
  require(disorder_.empty(), disorder_);
  std::set<std::string> ids;
  for (const auto& [value, receipts] : came_) {
    std::string what = "message " + std::to_string(value) + " (";
    for (const Receipt& r : receipts) what += " from " + r.queue + (r.marked ? " marked " : " ") + r.id;
    what += " )";
    require(!never_.contains(value), what + " came again after it had been released");
    require(must_.contains(value) || may_.contains(value), what + " was delivered and never published");
    require(ids.insert(receipts[0].id).second, what + " has another message's id");
    for (const Receipt& r : receipts) require(r.id == receipts[0].id, what + " changed its id");
    const auto unmarked = std::count_if(receipts.begin(), receipts.end(), [](const Receipt& r) { return !r.marked; });
    require(unmarked <= 1, what + " came twice, and not marked");
    if (seen_.contains(value)) require(unmarked == 0, what + " came again, and not marked");
    if (touched_.contains(value)) continue;
    require(receipts.size() == 1, what + " came twice, and nobody died or gave it back");
    require(unmarked == 1, what + " is marked, and nobody had it before");
  }
  for (const std::uint64_t value : must_)
    require(came_.contains(value), "message " + std::to_string(value) + " was published and is lost");
}

}  // namespace killtest
