// Round trips between two busy processes.
#pragma once

#include <vector>

#include "progress.hpp"
#include "report.hpp"
#include "settings.hpp"

namespace shmq::bench {

/// Rows rtt/KIND/SIZE and rtt/plain/SIZE.
std::vector<Row> run_rtt(const Settings& settings, Progress& progress);

}  // namespace shmq::bench
