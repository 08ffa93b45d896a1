#include "map_progress.hpp"

#include <unistd.h>

#include <algorithm>
#include <string>

#include "shmq/base/clock.hpp"

namespace shmq::cli {

MapProgress::MapProgress(bool wanted)
    : wanted_(wanted),
      terminal_(::isatty(STDERR_FILENO) == 1),
      step_ns_(terminal_ ? 200'000'000 : 1'000'000'000),
      began_ns_(base::monotonic_ns()) {}

std::int64_t MapProgress::due_ns() const { return wanted_ ? shown_ns_ + step_ns_ : INT64_MAX; }

void MapProgress::show(const Counts& counts, bool last) {
  if (!wanted_) return;
  const std::int64_t now_ns = base::monotonic_ns();
  if (!last && now_ns - shown_ns_ < step_ns_) return;
  shown_ns_ = now_ns;
  const double seconds = std::max(1e-3, static_cast<double>(now_ns - began_ns_) / 1e9);
  std::string text = "shmq: map: " + std::to_string(counts.done) + " done, " + std::to_string(counts.failed) + " failed, " +
                     std::to_string(counts.to_do) + " to do" + (counts.input_over ? "" : " so far") + ", " +
                     std::to_string(static_cast<std::uint64_t>(static_cast<double>(counts.done) / seconds)) + "/s";
  text = (terminal_ ? "\r" : "") + text + (terminal_ ? "\x1b[K" : "") + (terminal_ && !last ? "" : "\n");
  [[maybe_unused]] const ssize_t n = ::write(STDERR_FILENO, text.data(), text.size());
}

}  // namespace shmq::cli
