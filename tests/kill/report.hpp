// What a run over all points of a scenario has found.
#pragma once

#include "failure.hpp"
#include "point.hpp"

#include <iosfwd>
#include <string>
#include <vector>

namespace killtest {

struct Finding {
  Point point;
  std::string fate;  // what was being done: killed, stopped, completed
  FailureKind kind = FailureKind::wrong;
  std::string text;
};

struct Report {
  std::string name;           // scenario/mode
  std::vector<Point> points;  // of the dry run
  std::vector<Finding> findings;
  std::size_t worlds = 0;    // points tried
  std::size_t diverged = 0;  // worlds in which the point differed in kind or place from the dry run's
  std::size_t strayed = 0;   // … that did not come to the landmark they were to be stepped from, and began anew
  std::size_t watched_bytes = 0;
  std::uint64_t steps = 0;  // of all worlds together
  double stepping_seconds = 0;
  double seconds = 0;
  bool partial = false;  // SHMQ_KILL_ONLY left points out

  bool clean() const { return findings.empty(); }
};

/// A summary line, then each finding with its point, the source line, and how to run that point again.
std::ostream& operator<<(std::ostream& out, const Report& report);

}  // namespace killtest
