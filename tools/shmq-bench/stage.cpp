#include "stage.hpp"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>

#include "arena.hpp"
#include "base/text.hpp"
#include "failure.hpp"
#include "machine.hpp"
#include "shmq/base/clock.hpp"
#include "shmq/segment.hpp"

namespace shmq::bench {

namespace {

/// What a role has to say when it fails, in shared memory: the first one counts, those that follow from it do
/// not.
struct Complaint {
  std::atomic<std::uint32_t> taken{0};
  std::atomic<std::uint32_t> complete{0};
  int status = cli::kFailed;
  char text[1024] = {};

  void say(int exit_status, const std::string& what) {
    if (taken.exchange(1) != 0) return;
    status = exit_status;
    std::snprintf(text, sizeof text, "%s", what.c_str());
    complete.store(1, std::memory_order_release);
  }
};

sigset_t taken_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGCHLD}) ::sigaddset(&set, signal);
  return set;
}

[[noreturn]] void play(const Role& role, pid_t conductor, Complaint& complaint) {
  int status = 0;
  try {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != conductor) ::_exit(1);  // it died before that
    pin_to(role.cpu);
    role.run();
  } catch (const cli::Failure& failure) {
    complaint.say(failure.status, role.name + ": " + failure.message);
    status = 1;
  } catch (const std::exception& error) {
    complaint.say(cli::kFailed, role.name + ": " + error.what());
    status = 1;
  }
  ::_exit(status);
}

/// The children that run; those that are left when this goes are killed and waited for.
class Troupe {
 public:
  ~Troupe() {
    for (const Member& member : members_)
      if (member.pid > 0) ::kill(member.pid, SIGKILL);
    for (const Member& member : members_)
      if (member.pid > 0) ::waitpid(member.pid, nullptr, 0);
  }

  void start(const Role& role, Complaint& complaint) {
    const pid_t conductor = ::getpid();
    const pid_t pid = ::fork();
    if (pid == 0) play(role, conductor, complaint);
    if (pid < 0)
      throw cli::Failure{cli::kFailed,
                         "cannot start a process for " + role.name + ": " + base::errno_text(errno)};
    members_.push_back({pid, role.name});
    ++running_;
  }

  bool running() const { return running_ > 0; }

  /// Takes in who has ended; throws for those that did not end well.
  void collect(const Complaint& complaint) {
    for (Member& member : members_) {
      int status = 0;
      if (member.pid <= 0 || ::waitpid(member.pid, &status, WNOHANG) <= 0) continue;
      member.pid = 0;
      --running_;
      if (WIFEXITED(status) && WEXITSTATUS(status) == 0) continue;
      if (complaint.complete.load(std::memory_order_acquire) != 0)
        throw cli::Failure{complaint.status, complaint.text};
      throw cli::Failure{cli::kFailed,
                         member.name +
                             (WIFSIGNALED(status)
                                  ? std::string(" was killed by signal ") + std::to_string(WTERMSIG(status)) +
                                        " (" + ::strsignal(WTERMSIG(status)) + ")"
                                  : " ended early") +
                             "; the run is given up"};
    }
  }

 private:
  struct Member {
    pid_t pid = 0;
    std::string name;
  };
  std::vector<Member> members_;
  std::size_t running_ = 0;
};

}  // namespace

void hold_signals() {
  const sigset_t signals = taken_signals();
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
}

void perform(const std::vector<Role>& roles, Progress& progress) {
  Arena arena(sizeof(Complaint));
  Complaint& complaint = arena.make<Complaint>();
  const sigset_t signals = taken_signals();
  Troupe troupe;
  for (const Role& role : roles) troupe.start(role, complaint);
  while (troupe.running()) {
    const timespec pause{0, 200'000'000};
    const int came = ::sigtimedwait(&signals, nullptr, &pause);
    if (came == SIGINT || came == SIGTERM || came == SIGHUP) throw Interrupted{came};
    troupe.collect(complaint);
    progress.tick();
  }
}

ScratchSegment::ScratchSegment() {
  static unsigned count = 0;
  name_ = "bench-" + std::to_string(::getpid()) + "-" +
          std::to_string(base::realtime_ns() / 1000 % 1'000'000'000) + "-" + std::to_string(++count);
}

ScratchSegment::~ScratchSegment() { (void)Segment::remove(name_); }

}  // namespace shmq::bench
