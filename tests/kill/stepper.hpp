// Runs the operation of one process instruction by instruction under ptrace, from kill point to kill point.
// x86-64 Linux only. Only the process's main thread is stepped; threads that it has run freely (and die with
// it).
#pragma once

#include "point.hpp"
#include "process.hpp"
#include "watch.hpp"

#include <sched.h>
#include <sys/user.h>
#include <functional>
#include <optional>
#include <unordered_map>
#include <vector>

namespace killtest {

/// While it lives, this process and another run on one processor: a step is then two switches on one
/// processor and no wake-up of another, which is twice as fast.
class SharedProcessor {
 public:
  explicit SharedProcessor(pid_t other);
  SharedProcessor(const SharedProcessor&) = delete;
  SharedProcessor& operator=(const SharedProcessor&) = delete;
  ~SharedProcessor();

 private:
  pid_t other_;
  cpu_set_t before_{};
};

/// A place that an operation comes to once at least, and the first time with so many steps and points behind it.
struct Landmark {
  std::uintptr_t rip = 0;
  std::uint64_t steps = 0;
  std::size_t points = 0;
};

class Stepper {
 public:
  /// Has the process begin its operation and stops it at BEGIN. The process stays the caller's.
  Stepper(Process& process, bool exhaustive);
  Stepper(const Stepper&) = delete;
  Stepper& operator=(const Stepper&) = delete;

  /// Steps to the next kill point and leaves the victim stopped there (or asleep in its system call, which
  /// then ends with a stop). Nothing when it has reached END instead. After a point of kind `asleep` somebody
  /// has to wake the victim before or during the next call. Throws Failure: `stuck` if the steps or the wait
  /// exceed the limits, `died` if the victim died.
  std::optional<Point> next();

  /// Where each instruction was first met, in that order, up to the first sleep.
  const std::vector<Landmark>& landmarks() const { return landmarks_; }
  /// Instead of the first next(): runs at full speed to a landmark of an earlier run, by a breakpoint of the processor's, which
  /// is in no other process's or thread's way. The next() after it counts on from there. False: this run does not come
  /// there, sleeps on the way, or there are no such breakpoints here; it is of no use any more.
  bool skip_to(const Landmark& landmark);

  /// Stepping is over, or pauses for long: gives the scheduler its freedom back.
  void pause() { shared_processor_.reset(); }
  /// Lets a victim that has not reached END run there at full speed. If it falls asleep on the way, wake is
  /// called.
  void run_to_end(const std::function<void()>& wake);
  /// After END: lets the process go, and waits for it to say how its operation went. Throws what operate()
  /// threw.
  void finish();

  /// Instructions executed one at a time.
  std::uint64_t steps() const { return steps_ - skipped_; }
  std::uintptr_t rip() const { return registers_.rip; }
  Watch& watch() { return watch_; }

 private:
  enum class Instruction : std::uint8_t { plain, system_call, trap };
  enum class Stop { trap, signal, asleep };

  Instruction instruction_at(std::uintptr_t rip);
  bool step();  // false: asleep in the system call
  std::optional<Point> look();
  Point point(Point::Kind kind);
  Stop wait_for_stop(bool may_sleep);
  void resume(int request);
  void read_registers();
  bool break_at(std::uintptr_t rip);  // 0: nowhere
  [[noreturn]] void fail_dead(int status);

  Process& process_;
  Watch watch_;
  std::optional<SharedProcessor> shared_processor_;
  const bool exhaustive_;
  std::unordered_map<std::uintptr_t, Instruction> known_;
  std::vector<Landmark> landmarks_;
  bool slept_ = false;
  user_regs_struct registers_{};
  Instruction current_ = Instruction::plain;  // the instruction being executed, or just executed
  std::uintptr_t from_ = 0;                   // its address
  std::uintptr_t last_change_from_ = 0;
  long call_ = -1;
  std::uint64_t steps_ = 0;    // that the victim has executed
  std::uint64_t skipped_ = 0;  // … at full speed
  std::size_t points_ = 0;
  int signal_ = 0;          // to be delivered with the next resume
  bool announced_ = false;  // the enter point of the system call at rip was given out
  bool asleep_ = false;
  bool ended_ = false;
};

}  // namespace killtest
