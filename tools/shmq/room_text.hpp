// Why a table takes no more tasks, and what mends it.
#pragma once

#include <string>

#include "shmq/outcome.hpp"
#include "shmq/tasks.hpp"

namespace shmq::cli {

/// One line for whoever waits. `why` is full or no_block; `address` is SEG/T.
std::string no_room_text(const TaskTable& table, const std::string& address, Outcome why);

}  // namespace shmq::cli
