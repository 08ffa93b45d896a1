#include "support.hpp"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <thread>

namespace faults {

Name::Name(const std::string& what) {
  static int count = 0;
  name_ = "faults-" + what + "-" + std::to_string(::getpid()) + "-" + std::to_string(++count);
  (void)shmq::Segment::remove(name_);
}

Name::~Name() {
  (void)shmq::Segment::remove(name_);
  ::unlink(path().c_str());
}

void* shared_bytes(std::size_t size) {
  void* bytes = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (bytes == MAP_FAILED) std::abort();
  return bytes;
}
void free_shared_bytes(void* bytes, std::size_t size) { ::munmap(bytes, size); }

Child::Child(const Story& story) {
  int ends[2];
  if (::pipe(ends) != 0) std::abort();
  std::fflush(nullptr);
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent && ::getppid() != 0) ::_exit(1);  // 0: it is the first of a pid namespace
    ::close(ends[0]);
    std::string said;
    try {
      said = story();
    } catch (const std::exception& error) {
      said = std::string("threw: ") + error.what();
    }
    (void)!::write(ends[1], said.data(), said.size());
    ::_exit(0);
  }
  ::close(ends[1]);
  pipe_ = ends[0];
}

Child::~Child() {
  if (pid_ > 0) kill();
  ::close(pipe_);
}

void Child::kill() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = 0;
}

void Child::stop() {
  ::kill(pid_, SIGSTOP);
  int status = 0;
  ::waitpid(pid_, &status, WUNTRACED);
}

void Child::resume() { ::kill(pid_, SIGCONT); }

std::string Child::result(std::chrono::seconds patience) {
  int status = 0;
  const auto give_up = std::chrono::steady_clock::now() + patience;
  while (::waitpid(pid_, &status, WNOHANG) == 0) {
    if (std::chrono::steady_clock::now() > give_up) {
      kill();
      return "hangs";
    }
    std::this_thread::sleep_for(1ms);
  }
  pid_ = 0;
  if (WIFSIGNALED(status)) return "killed by signal " + std::to_string(WTERMSIG(status));
  std::string said;
  char buffer[4096];
  // A grandchild may hold the pipe open: what is there is enough.
  pollfd ready{pipe_, POLLIN, 0};
  while (::poll(&ready, 1, 0) > 0) {
    const ssize_t got = ::read(pipe_, buffer, sizeof buffer);
    if (got <= 0) break;
    said.append(buffer, static_cast<std::size_t>(got));
  }
  if (said.empty() && WEXITSTATUS(status) != 0)
    return "ended with status " + std::to_string(WEXITSTATUS(status));
  return said;
}

bool eventually(const std::function<bool()>& condition) {
  const auto give_up = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > give_up) return false;
    std::this_thread::sleep_for(200us);
  }
  return true;
}

std::string in_child(const Story& story) { return Child(story).result(); }

std::string own_shm(const std::string& size, const std::string& mode) {
  if (::unshare(CLONE_NEWNS) != 0) return std::string("unshare: ") + std::strerror(errno);
  // In a chroot "/" is no mount point; /dev/shm then is one.
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 &&
      ::mount("none", "/dev/shm", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    return std::string("cannot make mounts private: ") + std::strerror(errno);
  const std::string options = "size=" + size + ",mode=" + mode;
  if (::mount("tmpfs", "/dev/shm", "tmpfs", 0, options.c_str()) != 0)
    return std::string("cannot mount a tmpfs: ") + std::strerror(errno);
  return {};
}

bool is_root() { return ::geteuid() == 0; }

std::vector<std::string> shm_files(const std::string& part) {
  std::vector<std::string> found;
  for (const auto& file : std::filesystem::directory_iterator("/dev/shm"))
    if (const std::string name = file.path().filename().string(); name.find(part) != std::string::npos)
      found.push_back(name);
  return found;
}

}  // namespace faults
