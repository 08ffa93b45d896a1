// Runs roles: processes forked from this one, each on its processor, watched until all have ended.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "progress.hpp"

namespace shmq::bench {

struct Role {
  std::string name;  // for messages: "producer 2"
  int cpu = 0;
  std::function<void()> run;  // in the child; what it throws ends the whole run
};

/// A signal asked for the end: the program exits with 128 plus its number, after everything was cleared away.
struct Interrupted {
  int signal = 0;
};

/// From here on SIGINT, SIGTERM and SIGHUP wait until perform() looks: to be called before the first
/// ScratchSegment. The roles inherit that; their conductor ends them.
void hold_signals();

/// Forks all roles and waits for their ends. This process must have no segment open, and may have no other
/// threads. Throws Failure where a role failed or died (the others are then killed), Interrupted on SIGINT,
/// SIGTERM and SIGHUP. Children also die with this process.
void perform(const std::vector<Role>& roles, Progress& progress);

/// A segment name of this run's own; whatever it names is removed when this goes.
class ScratchSegment {
 public:
  ScratchSegment();
  ~ScratchSegment();
  ScratchSegment(const ScratchSegment&) = delete;
  ScratchSegment& operator=(const ScratchSegment&) = delete;
  const std::string& name() const { return name_; }

 private:
  std::string name_;
};

}  // namespace shmq::bench
