// Facts about this process that people want to see beside its participant row. None of them decides who is
// alive.
#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace shmq::os {

std::string program_name();
/// Start time of this process in clock ticks since boot (/proc/self/stat); 0 where it cannot be read.
std::uint64_t start_time_ticks();
/// Inode of this process's pid namespace: pids of two namespaces do not compare.
std::uint64_t pid_namespace();
/// The kernel's boot id as 16 bytes; zeros where it cannot be read.
std::array<std::uint8_t, 16> boot_id();
/// A random UUID.
std::array<std::uint8_t, 16> random_uuid();

}  // namespace shmq::os
