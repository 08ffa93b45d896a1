#include "output.hpp"

#include <unistd.h>

#include <cerrno>
#include <string>

#include "base/text.hpp"
#include "failure.hpp"

namespace shmq::cli {

bool print(std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(STDOUT_FILENO, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EPIPE) return false;
    if (n < 0) throw Failure{kFailed, "cannot write to standard output: " + base::errno_text(errno)};
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

void remark(std::string_view text) {
  const std::string line = "shmq: " + std::string(text) + "\n";
  // One write: lines of several programs do not mix. Where it cannot be written, nobody can be told.
  [[maybe_unused]] const ssize_t n = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace shmq::cli
