#include "patience.hpp"

#include <ctime>
#include <fstream>

namespace killtest {
namespace {

std::chrono::nanoseconds cpu_time(pid_t pid) {
  clockid_t clock{};
  timespec now{};
  if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &now) != 0) return {};
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

}  // namespace

char process_state(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  if (!std::getline(file, line)) return '?';
  const auto after_name = line.rfind(')');  // the name may hold anything, parentheses too
  return after_name == std::string::npos || after_name + 2 >= line.size() ? '?' : line[after_name + 2];
}

Patience::Patience(pid_t pid, const Limits& limits)
    : pid_(pid), limits_(limits), since_(std::chrono::steady_clock::now()), cpu_before_(cpu_time(pid)) {}

std::chrono::milliseconds Patience::waited() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - since_);
}

std::string Patience::exhausted() const {
  const auto cpu = std::chrono::duration_cast<std::chrono::milliseconds>(cpu_time(pid_) - cpu_before_);
  if (cpu > limits_.cpu) return "spun for " + std::to_string(cpu.count()) + " ms of processor time";
  if (waited() > limits_.asleep && process_state(pid_) != 'R') {
    return "still asleep after " + std::to_string(waited().count()) + " ms";
  }
  return {};
}

}  // namespace killtest
