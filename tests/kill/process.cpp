#include "process.hpp"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <array>
#include <cerrno>
#include <csignal>

namespace killtest {
namespace {

constexpr int child_socket = 3;
constexpr std::size_t message_max = 60'000;
using Buffer = std::array<char, message_max + 1>;

// The stop that the tracer waits for. Never inlined, so that both marks are the same instruction.
[[gnu::noinline]] void mark() { asm volatile("int3" ::: "memory"); }

void operate_between_marks(Actor& actor) {
  require_system(ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0, "PTRACE_TRACEME");
  mark();
  try {
    actor.operate();
  } catch (...) {
    mark();
    throw;
  }
  mark();
}

void reply(char kind, const std::string& text) {
  const std::string message = kind + text.substr(0, message_max);
  if (send(child_socket, message.data(), message.size(), MSG_NOSIGNAL) < 0) _exit(4);
}

// 'y' + answer, or 'n' + failure kind + text.
template <class Work>
void answer(Work work) {
  try {
    reply('y', work());
  } catch (const Failure& failure) {
    reply('n', static_cast<char>('0' + static_cast<int>(failure.kind())) + std::string(failure.what()));
  } catch (const std::exception& error) {
    reply('n', '0' + std::string(error.what()));
  }
}

[[noreturn]] void run_child(const ActorFactory& make, int socket, pid_t driver) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != driver) _exit(2);
  if (socket != child_socket && dup2(socket, child_socket) < 0) _exit(2);
  if (close_range(child_socket + 1, ~0U, 0) != 0) _exit(2);

  std::unique_ptr<Actor> actor;
  answer([&] {
    actor = make();
    return std::string("ready");
  });
  auto buffer = std::make_unique<Buffer>();
  while (actor) {
    const auto size = recv(child_socket, buffer->data(), buffer->size(), 0);
    if (size <= 0) break;
    const std::string_view request(buffer->data(), static_cast<std::size_t>(size));
    answer([&]() -> std::string {
      if (request != operate_request) return actor->handle(request);
      operate_between_marks(*actor);
      return "operated";
    });
  }
  actor.reset();
  _exit(0);  // the driver's stdio buffers and gtest's state are not ours to flush
}

std::string describe_end(int status) {
  if (WIFSIGNALED(status)) return "signal " + std::to_string(WTERMSIG(status));
  return "exit status " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

std::string Actor::handle(std::string_view request) {
  throw Failure(FailureKind::setup, "this actor answers no requests: " + std::string(request));
}

Process::Process(std::string name, const ActorFactory& make, const Limits& limits)
    : name_(std::move(name)), limits_(limits) {
  int pair[2];
  require_system(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0, "socketpair");
  const pid_t driver = getpid();
  pid_ = fork();
  if (pid_ == 0) run_child(make, pair[1], driver);
  close(pair[1]);
  socket_ = pair[0];
  try {
    require_system(pid_ > 0, "fork");
    await();
  } catch (...) {  // a constructor that throws runs no destructor
    if (pid_ > 0) kill();
    close(socket_);
    throw;
  }
}

Process::~Process() {
  if (running()) kill();
  close(socket_);
}

std::string Process::ask(std::string_view request) {
  post(request);
  return await();
}

void Process::post(std::string_view request) {
  require(request.size() <= message_max, "a request this long cannot be sent");
  if (send(socket_, request.data(), request.size(), MSG_NOSIGNAL) < 0) {
    throw Failure(FailureKind::died, name_ + " is gone and cannot be asked '" + std::string(request) + "'");
  }
}

std::string Process::await() {
  const Patience patience(pid_, limits_);
  for (;;) {
    pollfd readable{socket_, POLLIN, 0};
    if (poll(&readable, 1, 20) > 0) break;
    if (const std::string why = patience.exhausted(); !why.empty()) {
      throw Failure(FailureKind::wedged, name_ + " does not answer: " + why);
    }
  }
  auto buffer = std::make_unique<Buffer>();
  const auto size = recv(socket_, buffer->data(), buffer->size(), 0);
  if (size <= 0) {
    int status = 0;
    gone_ = waitpid(pid_, &status, __WALL) == pid_;
    throw Failure(FailureKind::died, name_ + " died: " + describe_end(status));
  }
  const std::string message(buffer->data(), static_cast<std::size_t>(size));
  if (message[0] == 'y') return message.substr(1);
  throw Failure(static_cast<FailureKind>(message[1] - '0'), name_ + ": " + message.substr(2));
}

void Process::reap() {
  int status = 0;
  while (!gone_) {  // a traced process may report stops before its end
    const pid_t pid = waitpid(pid_, &status, __WALL);
    if (pid < 0 && errno == EINTR) continue;
    gone_ = pid != pid_ || WIFEXITED(status) || WIFSIGNALED(status);
  }
}

void Process::kill() {
  if (!running()) return;
  ::kill(pid_, SIGKILL);
  reap();
}

void Process::quit() {
  if (!running()) return;
  shutdown(socket_, SHUT_RDWR);
  const Patience patience(pid_, limits_);
  for (;;) {
    int status = 0;
    if (waitpid(pid_, &status, __WALL | WNOHANG) == pid_) {
      gone_ = true;
      if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
      throw Failure(FailureKind::died, name_ + " did not quit cleanly: " + describe_end(status));
    }
    if (const std::string why = patience.exhausted(); !why.empty()) {
      throw Failure(FailureKind::wedged, name_ + " does not quit: " + why);
    }
    poll(nullptr, 0, 1);
  }
}

void Process::stop() {
  ::kill(pid_, SIGSTOP);
  int status = 0;
  while (waitpid(pid_, &status, WUNTRACED) < 0 && errno == EINTR) {
  }
  if (WIFSTOPPED(status)) return;
  gone_ = true;
  throw Failure(FailureKind::died, name_ + " died: " + describe_end(status));
}

void Process::resume() { ::kill(pid_, SIGCONT); }

}  // namespace killtest
