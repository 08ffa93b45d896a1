// What a message must not cost: system calls and allocations, counted; and what happens once: an attach, a
// look at a segment with many queues.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "progress.hpp"
#include "report.hpp"
#include "settings.hpp"

namespace shmq::bench {

/// Row costs/KIND: system_calls_per_message and allocations_per_message of one producer and one consumer that
/// spin. A field that cannot be counted here is not there, and `why` says so.
Row run_costs(const Settings& settings, Kind kind, Progress& progress, std::string& why);

/// Row costs/attach: attach_ns, the median of opening a segment and a queue of it.
Row run_attach(const Settings& settings, Progress& progress);

/// Row costs/stat-list: list_ns, the whole of `shmq-stat list` where a segment has 100 queues; without the
/// field where there is no shmq-stat beside this program.
Row run_stat_list(const Settings& settings, Progress& progress, std::string& why);

}  // namespace shmq::bench
