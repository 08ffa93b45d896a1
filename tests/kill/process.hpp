// Processes of a world. An Actor is the code, a Process the driver's end of it.
//
// Processes are forked from the driver without exec: address-space layout and lambdas carry over, and a world
// is cheap. The driver itself must therefore never attach to what is tested; it only talks to processes. A
// child keeps standard input, output and error, and its own end of a socket pair; every other descriptor is
// closed.
#pragma once

#include "failure.hpp"
#include "patience.hpp"

#include <sys/types.h>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace killtest {

/// Code that runs in a process of its own. Constructor, every method and the destructor run there, on its one
/// thread; the destructor only after Process::quit(). Exceptions travel to the driver as a Failure.
class Actor {
 public:
  Actor() = default;
  Actor(const Actor&) = delete;
  Actor& operator=(const Actor&) = delete;
  virtual ~Actor() = default;

  /// The operation under test. Called only in the victim, between the marks; attach, open and warm up in the
  /// constructor, which runs at full speed.
  virtual void operate() {}
  /// Does some work and answers.
  virtual std::string handle(std::string_view request);
};

using ActorFactory = std::function<std::unique_ptr<Actor>()>;

class Process {
 public:
  /// Forks, and returns when the actor was constructed there. Throws Failure if that threw.
  Process(std::string name, const ActorFactory& make, const Limits& limits);
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  /// Kills it if it still runs.
  ~Process();

  /// Sends a request and waits for the answer. Throws Failure: what handle() threw, `wedged` if no answer
  /// came within the limits, `died` if the process ended instead.
  std::string ask(std::string_view request);
  void post(std::string_view request);  // the two halves of ask()
  std::string await();

  void kill();    // SIGKILL; returns when it is gone
  void quit();    // destroys the actor and exits; returns when it is gone
  void stop();    // SIGSTOP; returns when it is stopped
  void resume();  // SIGCONT

  pid_t pid() const { return pid_; }
  bool running() const { return pid_ > 0 && !gone_; }
  const std::string& name() const { return name_; }
  const Limits& limits() const { return limits_; }
  /// For the stepper, which sees the wait status first: the process has ended.
  void note_gone() { gone_ = true; }

 private:
  void reap();

  std::string name_;
  Limits limits_;
  pid_t pid_ = -1;
  int socket_ = -1;
  bool gone_ = false;
};

/// The request that makes a process its own victim: it asks to be traced, marks BEGIN, operates and marks
/// END.
inline constexpr std::string_view operate_request = "\x01operate";

}  // namespace killtest
