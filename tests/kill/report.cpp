#include "report.hpp"

#include <cmath>
#include <ostream>

namespace killtest {

std::ostream& operator<<(std::ostream& out, const Report& report) {
  out << report.name << ": " << report.points.size() << " points, " << report.worlds << " worlds, "
      << report.watched_bytes / 1024 << " KiB watched, " << report.steps << " steps at "
      << std::lround(static_cast<double>(report.steps) / (report.stepping_seconds + 1e-9)) << "/s, "
      << std::lround(report.seconds * 1000) << " ms, " << report.diverged << " diverged, "
      << report.strayed << " strayed, "
      << report.findings.size() << " findings\n";
  constexpr std::size_t shown = 20;
  for (std::size_t i = 0; i < report.findings.size() && i < shown; ++i) {
    const Finding& finding = report.findings[i];
    out << "  [" << to_string(finding.kind) << ", " << finding.fate << "] " << describe(finding.point) << "\n"
        << "    " << finding.text << "\n"
        << "    at " << symbolise(finding.point.rip) << "\n"
        << "    again: SHMQ_KILL_ONLY=" << report.name << ":" << finding.point.index << "\n";
  }
  if (report.findings.size() > shown) out << "  ... and " << report.findings.size() - shown << " more\n";
  return out;
}

}  // namespace killtest
