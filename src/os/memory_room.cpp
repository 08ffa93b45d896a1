#include "os/memory_room.hpp"

#include <algorithm>
#include <fstream>
#include <optional>
#include <sstream>

namespace shmq::os {

namespace {

/// The number that stands after `key` in a file of "key number" lines, or the file's only number.
std::optional<std::uint64_t> number_in(const std::string& path, const std::string& key = {}) {
  std::ifstream file(path);
  std::string word;
  std::uint64_t number = 0;
  if (key.empty()) return file >> number ? std::optional(number) : std::nullopt;  // "max" is no number
  while (file >> word)
    if (word == key) return file >> number ? std::optional(number) : std::nullopt;
  return std::nullopt;
}

std::uint64_t minus(std::uint64_t a, std::uint64_t b) { return a > b ? a - b : 0; }

struct Version {
  const char* mount;
  const char* limit;
  const char* usage;
  const char* caches[2];  // in memory.stat: file pages, which shared memory is not among
};
constexpr Version kVersions[] = {
    {"/sys/fs/cgroup", "memory.max", "memory.current", {"inactive_file", "active_file"}},
    {"/sys/fs/cgroup/memory",
     "memory.limit_in_bytes",
     "memory.usage_in_bytes",
     {"total_inactive_file", "total_active_file"}},
};

/// Narrows `room` by each limit from the process's cgroup up to the root of the mount.
void narrow(MemoryRoom& room, const Version& version, std::string path, std::uint64_t swap) {
  for (;;) {
    const std::string folder = version.mount + (path == "/" ? "" : path) + "/";
    const auto limit = number_in(folder + version.limit), usage = number_in(folder + version.usage);
    if (limit && usage) {
      std::uint64_t used = *usage;
      for (const char* cache : version.caches)
        used = minus(used, number_in(folder + "memory.stat", cache).value_or(0));
      if (const std::uint64_t left = minus(*limit, used); left + swap < room.free_bytes)
        room = {left + swap, *limit, folder + version.limit};
    }
    const std::size_t slash = path.rfind('/');
    if (path.size() <= 1 || slash == std::string::npos) return;
    path.resize(std::max<std::size_t>(slash, 1));
  }
}

}  // namespace

MemoryRoom memory_room() {
  MemoryRoom room;
  const std::uint64_t swap = number_in("/proc/meminfo", "SwapFree:").value_or(0) * 1024;
  const auto available = number_in("/proc/meminfo", "MemAvailable:"),
             total = number_in("/proc/meminfo", "MemTotal:");
  if (available && total) room = {*available * 1024 + swap, *total * 1024, ""};
  // "0::/path" is version 2; "4:memory:/path" is the memory controller of version 1.
  std::ifstream file("/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    if (controllers == ",,") narrow(room, kVersions[0], line.substr(second + 1), swap);
    if (controllers.find(",memory,") != std::string::npos)
      narrow(room, kVersions[1], line.substr(second + 1), swap);
  }
  return room;
}

}  // namespace shmq::os
