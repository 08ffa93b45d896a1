#include "child.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cassert>
#include <cerrno>
#include <csignal>

#include "shmq/base/clock.hpp"
#include "signal_inbox.hpp"

namespace shmq::cli {

namespace {

constexpr std::size_t kPiece = std::size_t{64} << 10;

/// A pipe whose `mine` end does not block. Descriptors 0 to 2 are taken (main() sees to that), so no end is one of them.
struct Pipe {
  Descriptor mine, theirs;
  int open(bool i_read) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return errno;
    mine = Descriptor(ends[i_read ? 0 : 1]);
    theirs = Descriptor(ends[i_read ? 1 : 0]);
    return ::fcntl(mine.get(), F_SETFL, O_NONBLOCK) == 0 ? 0 : errno;
  }
};

/// Frees what posix_spawn wants to have described.
class SpawnPlan {
 public:
  SpawnPlan() {
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
    sigset_t defaults;
    ::sigemptyset(&defaults);
    ::sigaddset(&defaults, SIGPIPE);  // ignored here, by main()
    ::posix_spawnattr_setsigdefault(&attributes, &defaults);
    ::posix_spawnattr_setsigmask(&attributes, &blocked_at_start());
    ::posix_spawnattr_setpgroup(&attributes, 0);
    ::posix_spawnattr_setflags(&attributes,
                               POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  }
  ~SpawnPlan() {
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;

  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
};

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> list;
  list.reserve(words.size() + 1);
  for (std::string& word : words) list.push_back(word.data());
  list.push_back(nullptr);
  return list;
}

void watch(int epoll, int fd, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

/// A copy of the descriptor in a child that has not come to its exec yet would keep it in the set.
void forget(int epoll, Descriptor& fd) {
  if (fd) ::epoll_ctl(epoll, EPOLL_CTL_DEL, fd.get(), nullptr);
  fd.reset();
}

}  // namespace

std::string ending_text(const Ending& ending) {
  if (ending.signal == 0) return "exit status " + std::to_string(ending.status);
  return "ended by signal " + std::to_string(ending.signal) + (ending.core ? " (core dumped)" : "");
}

int Child::start(int epoll, Start what) {
  Pipe input, output, errors;
  SpawnPlan plan;
  int error = 0;
  if (what.input && (error = input.open(false)) != 0) return error;
  if ((error = output.open(true)) != 0) return error;
  if (what.take_errors && (error = errors.open(true)) != 0) return error;
  if (what.input)
    ::posix_spawn_file_actions_adddup2(&plan.actions, input.theirs.get(), STDIN_FILENO);
  else
    ::posix_spawn_file_actions_addopen(&plan.actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&plan.actions, output.theirs.get(), STDOUT_FILENO);
  if (what.take_errors) ::posix_spawn_file_actions_adddup2(&plan.actions, errors.theirs.get(), STDERR_FILENO);

  std::vector<char*> arguments = pointers(what.arguments);
  std::vector<char*> environment;
  if (!what.environment.empty()) {
    environment = pointers(what.environment);
    environment.pop_back();
    for (char** entry = environ; *entry != nullptr; ++entry) environment.push_back(*entry);
    environment.push_back(nullptr);
  }
  error = ::posix_spawn(&pid_, what.program.c_str(), &plan.actions, &plan.attributes, arguments.data(),
                        environment.empty() ? environ : environment.data());
  if (error != 0) {
    pid_ = 0;
    return error;
  }
  // Nobody but this process reaps it, so the pid is its own until then.
  process_ = Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  if (!process_) {
    error = errno;
    ::kill(-pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
    return error;
  }
  epoll_ = epoll;
  input_ = std::move(input.mine);
  output_ = std::move(output.mine);
  errors_ = std::move(errors.mine);
  to_write_ = what.input ? std::move(*what.input) : std::string();
  watch(epoll, process_.get(), EPOLLIN);
  watch(epoll, output_.get(), EPOLLIN);
  if (errors_) watch(epoll, errors_.get(), EPOLLIN);
  if (input_) {
    write_input();  // what fits the pipe needs no waiting for
    if (input_) watch(epoll, input_.get(), EPOLLOUT);
  }
  return 0;
}

Child::~Child() { assert(pid_ == 0 || finished()); }

void Child::write_input() {
  while (written_ < to_write_.size()) {
    const ssize_t n = ::write(input_.get(), to_write_.data() + written_, to_write_.size() - written_);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    if (n < 0) break;  // it does not want the rest
    written_ += static_cast<std::size_t>(n);
  }
  forget(epoll_, input_);
  to_write_ = {};
}

void Child::drain(Descriptor& from, const Sink& sink) {
  char buffer[kPiece];
  // No more than there is now: its writer, or somebody whom it left behind, may write without an end.
  int there = 0;
  if (!from || ::ioctl(from.get(), FIONREAD, &there) != 0) return;
  do {
    const ssize_t n = ::read(from.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) return forget(epoll_, from);
    if (sink) sink({buffer, static_cast<std::size_t>(n)});
    there -= static_cast<int>(n);
  } while (there > 0);
}

void Child::look_for_end() {
  if (finished()) return;
  siginfo_t how{};
  // Left a zombie: until all of its group was told to end, its pid must not become somebody else's.
  if (::waitid(P_PID, static_cast<id_t>(pid_), &how, WEXITED | WNOHANG | WNOWAIT) != 0 || how.si_pid == 0) return;
  Ending ending;
  if (how.si_code == CLD_EXITED)
    ending.status = how.si_status;
  else
    ending.signal = how.si_status, ending.core = how.si_code == CLD_DUMPED;
  ending_ = ending;
  // It was to be ended with all that it started.
  if (ending_asked()) ::kill(-pid_, SIGKILL);
  ::waitid(P_PID, static_cast<id_t>(pid_), &how, WEXITED);
  forget(epoll_, process_);
  forget(epoll_, input_);
}

bool Child::advance(const Sink& output, const Sink& errors) {
  if (ending_asked() && !killed_ && !finished() && base::monotonic_ns() >= kill_at_ns_) kill();
  if (input_) write_input();
  look_for_end();
  drain(output_, output);
  drain(errors_, errors);
  if (!finished()) return false;
  forget(epoll_, output_);  // somebody whom it left behind may have them still
  forget(epoll_, errors_);
  return true;
}

void Child::signal_group(int signal) {
  if (pid_ != 0 && !finished()) ::kill(-pid_, signal);
}

void Child::end(std::int64_t grace_ns) {
  if (ending_asked()) return;
  signal_group(SIGTERM);
  signal_group(SIGCONT);  // a stopped one could not
  kill_at_ns_ = base::monotonic_ns() + grace_ns;
}

void Child::kill() {
  if (kill_at_ns_ == 0) kill_at_ns_ = base::monotonic_ns();
  killed_ = true;
  signal_group(SIGKILL);
}

std::int64_t Child::due_ns() const {
  return ending_asked() && !killed_ && !finished() ? kill_at_ns_ : INT64_MAX;
}

}  // namespace shmq::cli
