// What the figures were measured on, and on which of its processors.
#pragma once

#include <string>
#include <vector>

namespace shmq::bench {

struct Machine {
  std::string cpu;
  unsigned cores = 0;  // processors that are online
  std::string kernel;
  std::string compiler;
  std::string hypervisor;  // empty where the processor says that there is none
};

Machine describe_machine();

/// The processors that this process may use, one of each core before any of their SMT siblings.
std::vector<int> usable_cpus();

/// Whether the kernel knows `a` and `b` as threads of one core. A virtual machine may not know.
bool are_siblings(int a, int b);

/// Runs on `cpu` alone from now on; throws Failure where that is refused.
void pin_to(int cpu);

}  // namespace shmq::bench
