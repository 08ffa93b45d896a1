// Errors of set-up calls, and the type that carries either a value or such an error.
//
// Set-up calls (create, open, declare) are rare and may fail in many ways, so an Error says what failed, why,
// with the numbers, and how to mend it. Calls on the path of a message return a small Outcome instead
// (outcome.hpp).
#pragma once

#include <new>
#include <ostream>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

namespace shmq {

enum class ErrorCode {
  invalid_argument,  // a name, size or option that can never be right
  not_found,         // no such segment or object
  already_exists,    // create of a name that is taken
  different,         // declared before, and not the same way
  no_space,          // the file system, the segment, a table or a limit is full
  permission,        // the file's mode, owner or group forbid it
  incompatible,      // another layout version, another feature set, or not a segment at all
  corrupt,           // shared bytes that fail a check
  removed,           // the segment or object was removed
  busy,              // a living process is in the way
  detached,          // inherited through fork(): attach again in the child
  system,            // any other refusal of the kernel
};

/// The name of a code, such as "no_space"; stable, meant for logs and for --json.
const char* to_string(ErrorCode code);
inline std::ostream& operator<<(std::ostream& out, ErrorCode code) { return out << to_string(code); }

class Error {
 public:
  Error(ErrorCode code, std::string message) : code_(code), message_(std::move(message)) {}
  ErrorCode code() const { return code_; }
  /// What failed, why, and what to do about it: one or two sentences without a newline.
  const std::string& message() const { return message_; }
  friend std::ostream& operator<<(std::ostream& out, const Error& error) { return out << error.message_; }

 private:
  ErrorCode code_;
  std::string message_;
};

/// Thrown by Result::value() where there is an error instead; what() is the error's message.
class BadResult : public std::runtime_error {
 public:
  explicit BadResult(const Error& error) : std::runtime_error(error.message()), code_(error.code()) {}
  ErrorCode code() const { return code_; }

 private:
  ErrorCode code_;
};

/// Either a T or an Error. Test it, then use `*`, `->` or value(); error() is there only when the test was
/// false.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : content_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: meant to convert
  Result(Error error) : content_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: meant to convert

  explicit operator bool() const { return content_.index() == 0; }
  const Error& error() const { return std::get<1>(content_); }

  /// The value; throws BadResult where there is an error.
  T& value() & { return *require(); }
  const T& value() const& { return *const_cast<Result*>(this)->require(); }
  T&& value() && { return std::move(*require()); }

  T& operator*() & { return std::get<0>(content_); }
  const T& operator*() const& { return std::get<0>(content_); }
  T&& operator*() && { return std::move(std::get<0>(content_)); }
  T* operator->() { return &std::get<0>(content_); }
  const T* operator->() const { return &std::get<0>(content_); }

 private:
  T* require() {
    if (!*this) throw BadResult(error());
    return &std::get<0>(content_);
  }
  std::variant<T, Error> content_;
};

struct Done {};
/// For calls that return nothing but may fail.
using Status = Result<Done>;

}  // namespace shmq
