// How a command ends: the exit statuses, and what is thrown to end one early.
#pragma once

#include <string>
#include <utility>

#include "shmq/outcome.hpp"
#include "shmq/result.hpp"

namespace shmq::cli {

inline constexpr int kOk = 0;
inline constexpr int kFailed = 1;
inline constexpr int kUsage = 2;
inline constexpr int kNotFound = 3;
inline constexpr int kClosed = 4;    // closed or removed
inline constexpr int kFull = 5;      // full, or the time was over
inline constexpr int kSignal = 128;  // plus the signal's number

/// Ends the command: main() prints `shmq: WHAT: message` and exits with `status`.
struct Failure {
  int status = kFailed;
  std::string message;
};

/// Wrong usage: main() adds where help is.
struct UsageError {
  std::string message;
};

inline int status_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid_argument:
      return kUsage;
    case ErrorCode::not_found:
      return kNotFound;
    case ErrorCode::removed:
      return kClosed;
    default:
      return kFailed;
  }
}

/// The value, or the end of the command with the library's message.
template <class T>
T need(Result<T> result) {
  if (!result) throw Failure{status_of(result.error().code()), result.error().message()};
  return std::move(*result);
}

}  // namespace shmq::cli
