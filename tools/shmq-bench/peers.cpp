#include "peers.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include <cstdlib>
#include <vector>

#include "machine.hpp"
#include "peer_socket.hpp"
#include "shmq/base/clock.hpp"

namespace shmq::bench {

namespace {

constexpr std::int64_t kStartNs = 5'000'000'000;
constexpr int kAttempts = 3;

const char* program_of(PeerKind kind) { return kind == PeerKind::beanstalkd ? "beanstalkd" : "redis-server"; }

/// Where PATH has it; empty where it has not.
std::string path_of(const std::string& program) {
  const char* const given = std::getenv("PATH");
  const std::string path = given == nullptr ? "" : given;
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t colon = std::min(path.find(':', begin), path.size());
    const std::string file = path.substr(begin, colon - begin) + "/" + program;
    if (::access(file.c_str(), X_OK) == 0) return file;
    begin = colon + 1;
  }
  return "";
}

/// Free at this moment.
std::uint16_t free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  const bool bound = fd >= 0 && ::bind(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0 &&
                     ::getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size) == 0;
  const int error = errno;
  if (fd >= 0) ::close(fd);
  if (!bound) throw cli::Failure{cli::kFailed, "there is no port on 127.0.0.1: " + base::errno_text(error)};
  return ntohs(at.sin_port);
}

std::vector<std::string> words_of(PeerKind kind, const std::string& port) {
  if (kind == PeerKind::beanstalkd) return {"beanstalkd", "-l", "127.0.0.1", "-p", port};
  // Nothing is written to disk: what is compared keeps nothing there either.
  return {"redis-server", "--port", port,           "--bind", "127.0.0.1", "--save",
          "",             "--appendonly", "no", "--daemonize", "no"};
}

[[noreturn]] void become(const std::string& file, std::vector<std::string> words, int cpu, pid_t starter) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != starter) ::_exit(1);  // it died before that
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  const int nowhere = ::open("/dev/null", O_RDWR);
  for (int fd = 0; fd <= 2; ++fd) ::dup2(nowhere, fd);
  try {
    pin_to(cpu);
  } catch (...) {
    ::_exit(1);
  }
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  ::execv(file.c_str(), arguments.data());
  ::_exit(1);
}

void rest() {
  const timespec pause{0, 5'000'000};
  ::nanosleep(&pause, nullptr);
}

/// "beanstalkd 1.12", from what the program says about itself.
std::string version_of(const std::string& file) {
  FILE* const out = ::popen(("'" + file + "' -v 2>/dev/null").c_str(), "r");
  if (out == nullptr) return "";
  char text[256] = {};
  const std::size_t n = std::fread(text, 1, sizeof text - 1, out);
  ::pclose(out);
  std::string line(text, n);
  line.resize(std::min(line.find('\n'), line.size()));
  for (const char* end : {" sha=", " malloc="})
    if (const std::size_t at = line.find(end); at != std::string::npos) line.resize(at);
  return base::printable(line);
}

}  // namespace

const char* to_string(PeerKind kind) { return kind == PeerKind::beanstalkd ? "beanstalkd" : "redis"; }

std::optional<RunningPeer> RunningPeer::start(PeerKind kind, int cpu, std::string& why) {
  const std::string program = program_of(kind), file = path_of(program);
  if (file.empty()) {
    why = program + " is not installed; apt-get install " + program + ", or tools/install-deps --bench";
    return std::nullopt;
  }
  for (int attempt = 0; attempt < kAttempts; ++attempt) {  // somebody may take the port meanwhile
    const std::uint16_t port = free_port();
    const pid_t starter = ::getpid(), pid = ::fork();
    if (pid == 0) become(file, words_of(kind, std::to_string(port)), cpu, starter);
    if (pid < 0) throw cli::Failure{cli::kFailed, "cannot start " + program + ": " + base::errno_text(errno)};
    RunningPeer peer(kind, pid, port);
    if (!peer.answers()) continue;
    peer.version_ = version_of(file);
    return peer;
  }
  why = file + " does not answer on 127.0.0.1 where it is started by itself: try it by hand";
  return std::nullopt;
}

/// Waits until it does, it has ended, or its time is over.
bool RunningPeer::answers() {
  for (const std::int64_t until = base::monotonic_ns() + kStartNs; base::monotonic_ns() < until; rest()) {
    if (::waitpid(pid_, nullptr, WNOHANG) != 0) {
      pid_ = 0;
      return false;
    }
    if (PeerSocket::open(port_)) return true;
  }
  return false;
}

RunningPeer::~RunningPeer() {
  if (pid_ == 0) return;
  ::kill(pid_, SIGTERM);
  for (int looks = 0; looks < 200; ++looks, rest())
    if (::waitpid(pid_, nullptr, WNOHANG) != 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

std::unique_ptr<PeerClient> RunningPeer::connect() const {
  return kind_ == PeerKind::beanstalkd ? connect_beanstalkd(port_) : connect_redis(port_);
}

}  // namespace shmq::bench
