#include "ledger.hpp"

#include "failure.hpp"

#include <algorithm>
#include <sstream>

namespace killtest {

void Ledger::add(const std::string& queue, const std::string& receipts) {
  std::istringstream in(receipts);
  for (std::string word; in >> word;) {
    const auto slash = word.find('/');
    came_[std::stoull(word.substr(0, slash))].push_back({queue, word.at(slash + 1) == '1', word.substr(slash + 3)});
  }
}

void Ledger::verify() const {
  std::set<std::string> ids;
  for (const auto& [value, receipts] : came_) {
    std::string what = "message " + std::to_string(value) + " (";
    for (const Receipt& r : receipts) what += " from " + r.queue + (r.marked ? " marked " : " ") + r.id;
    what += " )";
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
