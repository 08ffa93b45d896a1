// The targets that shmq is held to on any machine: each a ratio within one run, or a count.
#pragma once

#include <string>
#include <vector>

#include "progress.hpp"
#include "report.hpp"
#include "settings.hpp"

namespace shmq::bench {

enum class Verdict { holds, fails, unknown };

struct Check {
  std::string id;  // of the row
  std::string field;
  bool at_most = true;
  double target = 0;
  Verdict verdict = Verdict::unknown;
  double measured = 0, least = 0, greatest = 0;
  std::string why;  // where it is unknown
};

struct Gate {
  std::vector<Row> rows;
  std::vector<Check> checks;
  bool holds() const;
};

Gate run_gate(const Settings& settings, Progress& progress);
/// One line for each target.
std::string gate_text(const Gate& gate);
/// The same as rows: gate/ID/FIELD.
std::vector<Row> gate_rows(const Gate& gate);

}  // namespace shmq::bench
