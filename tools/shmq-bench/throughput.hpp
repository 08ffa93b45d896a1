// How many messages a second pass from producers to consumers.
#pragma once

#include <vector>

#include "progress.hpp"
#include "report.hpp"
#include "settings.hpp"

namespace shmq::bench {

/// Rows throughput/KIND/SIZE[/PxC][/batchN], and of what they are compared with: throughput/plain/SIZE,
/// throughput/vyukov/SIZE (one to one), throughput/boost/SIZE/PxC (else).
std::vector<Row> run_throughput(const Settings& settings, Progress& progress);

}  // namespace shmq::bench
