// What a world, a survivor or a check may report. Everything in the harness fails by throwing a Failure; the
// driver catches it and turns it into a finding that names the point.
#pragma once

#include <stdexcept>
#include <string>

namespace killtest {

enum class FailureKind {
  wrong,   // a check found something that must not be
  wedged,  // a process did not answer: it spins or sleeps for ever
  died,    // a process died that nobody killed
  stuck,   // the victim itself spins or sleeps for ever
  setup,   // the world could not be built; says nothing about the code under test
};

const char* to_string(FailureKind kind);

class Failure : public std::runtime_error {
 public:
  Failure(FailureKind kind, const std::string& text) : std::runtime_error(text), kind_(kind) {}
  FailureKind kind() const { return kind_; }

 private:
  FailureKind kind_;
};

/// For actors and checks: throws a `wrong` failure unless the condition holds.
inline void require(bool condition, const std::string& text) {
  if (!condition) throw Failure(FailureKind::wrong, text);
}

/// Throws a `setup` failure that carries errno's text unless the condition holds.
void require_system(bool condition, const std::string& what);

}  // namespace killtest
