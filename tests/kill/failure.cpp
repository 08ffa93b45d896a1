#include "failure.hpp"

#include <cerrno>
#include <cstring>

namespace killtest {

const char* to_string(FailureKind kind) {
  switch (kind) {
    case FailureKind::wrong:
      return "wrong";
    case FailureKind::wedged:
      return "wedged";
    case FailureKind::died:
      return "died";
    case FailureKind::stuck:
      return "stuck";
    case FailureKind::setup:
      return "setup";
  }
  return "?";
}

void require_system(bool condition, const std::string& what) {
  if (condition) return;
  const int error = errno;
  throw Failure(FailureKind::setup, what + ": " + std::strerror(error));
}

}  // namespace killtest
