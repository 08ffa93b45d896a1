#include "stepper.hpp"

#include <sched.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cerrno>
#include <csignal>
#include <cstddef>

#ifndef __x86_64__
#error "the stepper decodes x86-64 instructions"
#endif

namespace killtest {
namespace {

// A victim that has been asleep for so long in one system call is taken to block there. Too short costs
// nothing but an additional kill point.
constexpr auto asleep_after = std::chrono::milliseconds(100);

bool maps_memory(long call) {
  return call == SYS_mmap || call == SYS_mremap || call == SYS_mprotect || call == SYS_shmat;
}

}  // namespace

SharedProcessor::SharedProcessor(pid_t other) : other_(other) {
  sched_getaffinity(0, sizeof(before_), &before_);
  cpu_set_t here;
  CPU_ZERO(&here);
  CPU_SET(sched_getcpu(), &here);
  sched_setaffinity(0, sizeof(here), &here);
  sched_setaffinity(other_, sizeof(here), &here);
}

SharedProcessor::~SharedProcessor() {
  sched_setaffinity(0, sizeof(before_), &before_);
  sched_setaffinity(other_, sizeof(before_), &before_);  // fails if it is dead by now, which is as well
}

Stepper::Stepper(Process& process, bool exhaustive)
    : process_(process), watch_(process.pid()), exhaustive_(exhaustive) {
  process_.post(operate_request);
  try {
    while (wait_for_stop(false) == Stop::signal) resume(PTRACE_CONT);
  } catch (const Failure& failure) {
    // ptrace may have been refused, and the process says so.
    if (failure.kind() == FailureKind::stuck) process_.await();
    throw;
  }
  const long options = PTRACE_O_EXITKILL;
  require_system(ptrace(PTRACE_SETOPTIONS, process_.pid(), nullptr, options) == 0, "PTRACE_SETOPTIONS");
  read_registers();
  watch_.rescan();
}

std::optional<Point> Stepper::next() {
  if (ended_) return std::nullopt;
  if (!shared_processor_) shared_processor_.emplace(process_.pid());
  if (points_ == 0) return point(Point::Kind::begin);
  for (;;) {
    if (!asleep_) {
      current_ = instruction_at(registers_.rip);
      from_ = registers_.rip;
      if (current_ == Instruction::system_call && !announced_) {
        announced_ = true;
        call_ = static_cast<long>(registers_.rax);
        return point(Point::Kind::syscall_enter);
      }
    }
    if (!step()) {
      slept_ = true;
      return point(Point::Kind::asleep);
    }
    announced_ = false;
    if (current_ == Instruction::trap && registers_.rip == from_ + 1) {
      ended_ = true;
      return std::nullopt;
    }
    if (auto found = look()) return found;
  }
}

// What did the instruction just executed do?
std::optional<Point> Stepper::look() {
  if (current_ == Instruction::system_call) {
    if (maps_memory(call_)) watch_.rescan();
    watch_.follow_sizes();
  }
  auto change = watch_.take_change();
  // A rep movs stops after each repetition: the first and the last are points, those between are alike.
  const bool between = change && registers_.rip == from_ && last_change_from_ == from_ && !exhaustive_;
  last_change_from_ = change ? from_ : 0;
  if (between) return std::nullopt;
  if (!change && current_ != Instruction::system_call && !exhaustive_) return std::nullopt;
  auto kind = change ? Point::Kind::memory : Point::Kind::instruction;
  if (current_ == Instruction::system_call) kind = Point::Kind::syscall_return;
  Point found = point(kind);
  found.rip = from_;
  found.change = std::move(change);
  return found;
}

Point Stepper::point(Point::Kind kind) {
  Point made;
  made.kind = kind;
  made.index = points_++;
  made.step = steps_;
  made.rip = registers_.rip;
  made.call = call_;
  made.result = static_cast<std::int64_t>(registers_.rax);
  return made;
}

bool Stepper::step() {
  if (!asleep_) {
    if (++steps_ > process_.limits().steps) {
      throw Failure(FailureKind::stuck, "the victim has executed " + std::to_string(steps_) +
                                            " instructions and is at " + symbolise(registers_.rip));
    }
    resume(PTRACE_SINGLESTEP);
  }
  const bool was_asleep = asleep_;
  for (;;) {
    const Stop stop = wait_for_stop(current_ == Instruction::system_call && !was_asleep);
    asleep_ = stop == Stop::asleep;
    if (asleep_) return false;
    if (stop == Stop::trap) break;
    // A signal came first: deliver it. If it has a handler, the step ends at the handler's first instruction.
    resume(PTRACE_SINGLESTEP);
  }
  if (was_asleep) watch_.take_change();  // whoever woke the victim did so by changing memory
  read_registers();
  return true;
}

Stepper::Instruction Stepper::instruction_at(std::uintptr_t rip) {
  const auto [entry, is_new] = known_.try_emplace(rip, Instruction::plain);
  if (!is_new) return entry->second;
  if (!slept_) landmarks_.push_back({rip, steps_, points_});
  std::uint8_t bytes[2] = {0, 0};
  const iovec here{bytes, 2};
  const iovec there{reinterpret_cast<void*>(rip), 2};
  if (process_vm_readv(process_.pid(), &here, 1, &there, 1, 0) < 1)
    return entry->second;  // e.g. the vsyscall page
  if (bytes[0] == 0x0f && bytes[1] == 0x05) entry->second = Instruction::system_call;
  if (bytes[0] == 0xcc) entry->second = Instruction::trap;
  return entry->second;
}

bool Stepper::break_at(std::uintptr_t rip) {
  const auto set = [&](std::size_t number, std::uintptr_t value) {
    return ptrace(PTRACE_POKEUSER, process_.pid(), offsetof(user, u_debugreg) + number * sizeof(long), value) == 0;
  };
  if (rip == 0) return set(7, 0);
  return set(0, rip) && set(7, 1);  // the first one, of this thread, where the instruction is executed
}

bool Stepper::skip_to(const Landmark& landmark) {
  if (!break_at(landmark.rip)) return false;
  shared_processor_.emplace(process_.pid());
  current_ = Instruction::system_call;  // any wait may be a long one
  for (;;) {
    resume(PTRACE_CONT);
    const Stop stop = wait_for_stop(true);
    if (stop == Stop::asleep) return false;
    if (stop == Stop::trap) break;
  }
  read_registers();
  if (registers_.rip != landmark.rip || !break_at(0)) return false;
  watch_.rescan();
  watch_.follow_sizes();
  watch_.take_change();
  steps_ = skipped_ = landmark.steps;
  points_ = landmark.points;
  return true;
}

Stepper::Stop Stepper::wait_for_stop(bool may_sleep) {
  const Patience patience(process_.pid(), process_.limits());
  // An instruction that is not a system call cannot block: waiting in the kernel is the fast way.
  const bool poll = current_ == Instruction::system_call || points_ == 0 || ended_ || may_sleep;
  for (int round = 0;; ++round) {
    int status = 0;
    const pid_t pid = waitpid(process_.pid(), &status, __WALL | (poll ? WNOHANG : 0));
    if (pid < 0 && errno != EINTR) require_system(false, "waitpid");
    if (pid == process_.pid()) {
      if (!WIFSTOPPED(status)) fail_dead(status);
      if (WSTOPSIG(status) == SIGTRAP) return Stop::trap;
      signal_ = WSTOPSIG(status);
      return Stop::signal;
    }
    if (round < 100) {
      sched_yield();
      continue;
    }
    usleep(1000);
    if (may_sleep && patience.waited() > asleep_after && process_state(process_.pid()) == 'S')
      return Stop::asleep;
    if (const std::string why = patience.exhausted(); !why.empty()) {
      throw Failure(FailureKind::stuck, "the victim " + why + ", last seen at " + symbolise(registers_.rip));
    }
  }
}

void Stepper::run_to_end(const std::function<void()>& wake) {
  pause();
  if (ended_) return;
  current_ = Instruction::system_call;  // from here on any wait may be a long one
  bool may_sleep = !asleep_;
  if (asleep_)
    wake();
  else
    resume(PTRACE_CONT);
  for (;;) {
    const Stop stop = wait_for_stop(may_sleep);
    if (stop == Stop::asleep) {
      may_sleep = false;
      wake();
      continue;
    }
    if (stop == Stop::trap && !asleep_) break;
    asleep_ = false;  // the pending single step has ended, or a signal is to be delivered
    resume(PTRACE_CONT);
  }
  ended_ = true;
}

void Stepper::finish() {
  pause();
  require_system(ptrace(PTRACE_DETACH, process_.pid(), nullptr, nullptr) == 0, "PTRACE_DETACH");
  process_.await();
}

void Stepper::resume(int request) {
  const long signal = signal_;
  signal_ = 0;
  const auto which = static_cast<__ptrace_request>(request);
  require_system(ptrace(which, process_.pid(), nullptr, signal) == 0, "cannot resume the victim");
}

void Stepper::read_registers() {
  require_system(ptrace(PTRACE_GETREGS, process_.pid(), nullptr, &registers_) == 0, "PTRACE_GETREGS");
}

void Stepper::fail_dead(int status) {
  process_.note_gone();
  const std::string how = WIFSIGNALED(status) ? "signal " + std::to_string(WTERMSIG(status))
                                              : "exit status " + std::to_string(WEXITSTATUS(status));
  throw Failure(FailureKind::died,
                "the victim died of " + how + ", last seen at " + symbolise(registers_.rip));
}

}  // namespace killtest
