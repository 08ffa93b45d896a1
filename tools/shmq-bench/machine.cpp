#include "machine.hpp"

#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>

#include "base/text.hpp"
#include "failure.hpp"

namespace shmq::bench {

namespace {

std::string topology(int cpu, const char* what) {
  std::ifstream file("/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/" + what);
  std::string text;
  std::getline(file, text);
  return text;
}

/// The first value of a field of /proc/cpuinfo.
std::string cpuinfo(const std::string& field) {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with(field))
      if (const std::size_t colon = line.find(": "); colon != std::string::npos)
        return line.substr(colon + 2);
  return "";
}

}  // namespace

Machine describe_machine() {
  Machine machine;
  machine.cpu = cpuinfo("model name");
  if (machine.cpu.empty()) machine.cpu = "unknown";
  machine.cores = static_cast<unsigned>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
  utsname names{};
  if (::uname(&names) == 0)
    machine.kernel = std::string(names.sysname) + " " + names.release + " " + names.machine;
#if defined(__clang__)
  machine.compiler = "clang " __clang_version__;
#else
  machine.compiler = "g++ " __VERSION__;
#endif
#if !defined(__OPTIMIZE__)
  machine.compiler += ", not optimised";
#endif
  if ((" " + cpuinfo("flags") + " ").find(" hypervisor ") != std::string::npos) {
    machine.hypervisor = "yes";
  }
  return machine;
}

std::vector<int> usable_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> first, siblings;
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return {0};
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &set)) continue;
    const bool sibling =
        std::any_of(first.begin(), first.end(), [&](int other) { return are_siblings(cpu, other); });
    (sibling ? siblings : first).push_back(cpu);
  }
  first.insert(first.end(), siblings.begin(), siblings.end());
  return first;
}

bool are_siblings(int a, int b) {
  const std::string list = topology(a, "thread_siblings_list");
  return a != b && !list.empty() && list == topology(b, "thread_siblings_list");
}

void pin_to(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<unsigned>(cpu), &set);
  if (::sched_setaffinity(0, sizeof set, &set) != 0)
    throw cli::Failure{cli::kFailed,
                       "cannot run on cpu " + std::to_string(cpu) + ": " + base::errno_text(errno) +
                           "; see taskset -p $$ for those that are allowed, and name them with --cpus"};
}

}  // namespace shmq::bench
