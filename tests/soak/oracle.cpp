#include "oracle.hpp"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "world.hpp"

namespace soak {

namespace {

constexpr std::size_t kViolationsShown = 20;

class Judge {
 public:
  explicit Judge(const std::vector<Record>& records) : records_(records) {}

  Verdict run() {
    // All that was said about one message stands together, queue by queue, in the order in which it happened.
    std::vector<std::uint32_t> order(records_.size());
    for (std::uint32_t i = 0; i < order.size(); ++i) order[i] = i;
    std::sort(order.begin(), order.end(), [&](std::uint32_t x, std::uint32_t y) {
      const Record& a = records_[x];
      const Record& b = records_[y];
      if (a.id != b.id) return a.id < b.id;
      if (a.time_ns != b.time_ns) return a.time_ns < b.time_ns;
      return x < y;
    });
    std::vector<const Record*> one;
    for (std::size_t i = 0; i < order.size(); ++i) {
      const Record& record = records_[order[i]];
      if (!one.empty() && one.front()->id != record.id) {
        message(one);
        one.clear();
      }
      one.push_back(&record);
    }
    if (!one.empty()) message(one);
    for (const std::uint8_t q : {single, ring, large_ring}) order_in(q);
    unique_ids();
    return std::move(verdict_);
  }

 private:
  void violation(std::uint64_t id, const std::string& what) {
    if (++verdict_.violation_count > kViolationsShown) return;
    verdict_.violations.push_back("message " + std::to_string(producer_of(id)) + ":" +
                                  std::to_string(sequence_of(id)) + " " + what);
  }

  /// `said`: every record of one message, by time.
  void message(const std::vector<const Record*>& said) {
    const std::uint64_t id = said.front()->id;
    const Record* intent = nullptr;
    bool published = false;
    bool delivered[kQueues] = {};
    const Record* any = nullptr;
    for (const Record* record : said) {
      if (record->event == Event::intent) intent = record;
      if (record->event == Event::published) published = true;
      if (record->event != Event::got) continue;
      delivered[record->queue] = true;
      ++verdict_.got;
      verdict_.redeliveries += record->marked;
      if (any != nullptr && (any->position != record->position || any->generation != record->generation))
        violation(id, "has the id " + std::to_string(any->position) + " and also " +
                          std::to_string(record->position));
      any = record;
    }
    if (intent == nullptr) return violation(id, "was got and never intended");
    ++(published ? verdict_.published : verdict_.unsure);
    const bool relayed = intent->queue == relay_in;
    const std::uint8_t last = relayed ? static_cast<std::uint8_t>(relay_out) : intent->queue;
    if (published && !delivered[last])
      violation(
          id, std::string("was published to ") + queue_plans()[intent->queue].name + " and never got in " +
                  queue_plans()[last].name +
                  (relayed ? delivered[relay_in] ? " (a forwarder had it)" : " (no forwarder had it)" : ""));
    for (std::uint8_t q = 0; q < kQueues; ++q) {
      if (!delivered[q]) continue;
      if (q != intent->queue && q != last)
        violation(id, std::string("was got in ") + queue_plans()[q].name + ", where nobody sent it");
      in_queue(said, q);
    }
    if (any != nullptr) ids_.push_back({{any->generation, any->position}, id});
  }

  void in_queue(const std::vector<const Record*>& said, std::uint8_t queue) {
    const std::uint64_t id = said.front()->id;
    const std::string where = std::string(" in ") + queue_plans()[queue].name;
    unsigned unmarked = 0, got = 0, released = 0, cut_forwards = 0;
    bool in_block = false;
    for (const Record* record : said) {
      if (record->queue == relay_in && record->event == Event::got) {
        ++cut_forwards;
        in_block |= record->in_block != 0;
      }
      if (record->queue == relay_in && record->event == Event::released) {
        --cut_forwards;
        verdict_.forwarded += queue == relay_in;
      }
    }
    // Whoever had it in relay_in and did not say that it was forwarded may have done so all the same.
    const bool may_repeat = queue == relay_out && !in_block && cut_forwards > 0;
    for (const Record* record : said) {
      if (record->queue != queue) continue;
      if (record->event == Event::got) {
        if (released > 0 && !may_repeat) violation(id, "came again after it was released" + where);
        if (!record->marked && ++unmarked > 1) violation(id, "was delivered twice and not marked" + where);
        if (!record->marked && got > 0 && !may_repeat) violation(id, "came again and was not marked" + where);
        ++got;
      }
      if (record->event == Event::released) ++released;
    }
    if (released > 1 && !may_repeat) violation(id, "was released twice" + where);
    if (released > 1 && may_repeat) ++verdict_.forwarded_twice;
    if (released > 1 + cut_forwards)
      violation(id, "was released more often than it can have been forwarded" + where);
  }

  void order_in(std::uint8_t queue) {
    std::vector<const Record*> first;
    for (const Record& record : records_)
      if (record.event == Event::got && record.queue == queue && !record.marked) first.push_back(&record);
    std::stable_sort(first.begin(), first.end(),
                     [](const Record* a, const Record* b) { return a->time_ns < b->time_ns; });
    std::unordered_map<std::uint32_t, std::uint64_t> newest;
    const Record* before = nullptr;
    for (const Record* record : first) {
      const auto [at, fresh] = newest.try_emplace(producer_of(record->id), sequence_of(record->id));
      if (!fresh && sequence_of(record->id) <= at->second)
        violation(record->id,
                  "came after " + std::to_string(at->second) + " of the same producer, in " +
                      queue_plans()[queue].name);
      at->second = std::max(at->second, sequence_of(record->id));
      if (is_spsc(queue) && before != nullptr && record->position <= before->position)
        violation(record->id, "came at position " + std::to_string(record->position) + ", after " +
                                  std::to_string(before->position) + ", in " + queue_plans()[queue].name);
      before = record;
    }
  }

  void unique_ids() {
    std::sort(ids_.begin(), ids_.end());
    for (std::size_t i = 1; i < ids_.size(); ++i)
      if (ids_[i].first == ids_[i - 1].first)
        violation(ids_[i].second, "has the id of message " + std::to_string(producer_of(ids_[i - 1].second)) +
                                      ":" + std::to_string(sequence_of(ids_[i - 1].second)));
  }

  const std::vector<Record>& records_;
  Verdict verdict_;
  std::vector<std::pair<std::pair<std::uint32_t, std::uint64_t>, std::uint64_t>> ids_;
};

}  // namespace

Verdict judge(const std::vector<Record>& records) { return Judge(records).run(); }

}  // namespace soak
