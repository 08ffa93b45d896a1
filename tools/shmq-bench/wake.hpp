// Round trips between two processes that sleep.
#pragma once

#include <vector>

#include "progress.hpp"
#include "report.hpp"
#include "settings.hpp"

namespace shmq::bench {

/// Rows wake/KIND/SIZE.
std::vector<Row> run_wake(const Settings& settings, Progress& progress);

}  // namespace shmq::bench
