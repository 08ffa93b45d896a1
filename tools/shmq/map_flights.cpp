#include "map_flights.hpp"

#include "map.hpp"

namespace shmq::cli {

Outcome MapFlights::submit(std::uint64_t number, const std::string& item) {
  if (flights_.size() >= kMapItems) return Outcome::full;
  TaskOptions task;
  task.failures_max = UINT16_MAX;  // its worker counts
  task.crashes_max = kMapCrashesMax;
  task.correlation = number;
  const Submitted submitted = table_.try_submit(std::as_bytes(std::span(item)), task);
  if (submitted) flights_[number] = {submitted.id, {}};
  return submitted.outcome;
}

void MapFlights::note_over(std::uint64_t number) {
  if (!flights_.contains(number) || !over_.insert(number).second) return;
  if (!keep_order_) in_order_of_completion_.push_back(number);
}

void MapFlights::look_everywhere() {
  for (const auto& [number, flight] : flights_) {
    if (flight.id == 0) continue;
    const std::optional<TaskInfo> info = table_.info(flight.id);
    if (!info || info->state == TaskState::done || info->state == TaskState::dead) note_over(number);
  }
}

std::optional<MapFlights::Flight> MapFlights::take_over() {
  std::uint64_t number = next_;
  if (keep_order_) {
    if (!over_.contains(number)) return std::nullopt;
    ++next_;
  } else {
    if (in_order_of_completion_.empty()) return std::nullopt;
    number = in_order_of_completion_.front();
    in_order_of_completion_.pop_front();
  }
  auto entry = flights_.extract(number);
  over_.erase(number);
  return Flight{number, entry.mapped().id, std::move(entry.mapped().item)};
}

}  // namespace shmq::cli
