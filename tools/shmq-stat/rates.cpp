#include "rates.hpp"

#include <algorithm>

namespace shmq::stat {

Rates rates_of(const EarlierLook& earlier, const TaskStatistics& then, const TaskStatistics& now) {
  // Less than before: those of another participant, which has the id of one that has gone.
  const auto rate = [&](std::uint64_t before, std::uint64_t after) {
    return static_cast<double>(after < before ? after : after - before) * 1e9 / static_cast<double>(earlier.ago_ns);
  };
  const auto otherwise = [](const TaskStatistics& f) { return f.failures + f.crashes + f.timeouts + f.releases + f.cancelled; };
  return {rate(then.submitted, now.submitted), rate(then.started, now.started), rate(then.done, now.done),
          rate(otherwise(then), otherwise(now))};
}

const TaskStatistics& same_of(const std::vector<TaskStatistics>& list, const TaskStatistics& wanted) {
  static const TaskStatistics none;
  const auto found = std::find_if(list.begin(), list.end(), [&](const TaskStatistics& f) {
    return f.name == wanted.name && f.participant == wanted.participant;
  });
  return found == list.end() ? none : *found;
}

}  // namespace shmq::stat
