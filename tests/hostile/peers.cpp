#include "peers.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "image.hpp"
#include "shmq/shmq.hpp"

namespace hostile {

namespace {

pid_t start(const std::function<void()>& work) {
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  work();
  std::_Exit(0);
}

int wait_for(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

}  // namespace

Peer::Peer(const std::function<void()>& work) : pid_(start(work)) {}

Peer::~Peer() {
  ::kill(pid_, SIGKILL);
  (void)wait_for(pid_);
}

std::string somebody_is_killed(const std::string& segment, Dice& dice) {
  const std::uint64_t seed = dice.word();
  const pid_t pid = start([&] {
    Dice theirs(seed);
    auto opened = shmq::Segment::open(segment, {.name = "killed"});
    if (!opened) ::kill(::getpid(), SIGKILL);
    for (const char* const name : kQueueNames) {
      auto queue = opened->open_queue(name);
      if (!queue) continue;
      // Never destroyed: that is the point.
      auto* const in = new shmq::Consumer<void>(queue->consumer());
      auto* const out = new shmq::Producer<void>(queue->producer());
      (void)out->try_send(std::as_bytes(std::span("0123456789abcdef", 16)));
      if (theirs.one_in(2)) (void)new shmq::Message(in->try_receive());
      if (theirs.one_in(2)) (void)new shmq::Message(in->try_receive());
      if (theirs.one_in(2)) (void)new shmq::Claim<void>(out->try_claim(theirs.one_in(2) ? 10 : 500));
    }
    ::kill(::getpid(), SIGKILL);
  });
  const int status = wait_for(pid);
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) return {};
  return "the peer that was to be killed ended by itself: status " + std::to_string(status);
}

void scribble(Corrupter corrupter, std::uint64_t seed) {
  Dice dice(seed);
  corrupter.remember(false);
  for (;;) {
    if (dice.one_in(16)) {
      corrupter.strike(dice);
    } else {
      const Field& field = corrupter.any_field(dice);
      const std::uint64_t old = corrupter.load(field);
      corrupter.store(field, corrupter.value_for(field, old, dice));
      for (std::uint64_t i = dice.below(200); i > 0; --i) asm volatile("pause");
      corrupter.store(field, old);
    }
    if (dice.one_in(64)) ::usleep(20);
  }
}

void flicker(Corrupter corrupter, const Field& field, std::uint64_t seed) {
  Dice dice(seed);
  const std::uint64_t old = corrupter.load(field);
  const std::uint64_t values[] = {old, corrupter.value_for(field, old, dice), old, corrupter.value_for(field, old, dice)};
  const bool counts = dice.one_in(3);
  std::uint64_t step = std::uint64_t{1} << dice.below(field.bytes * 8);
  for (std::uint64_t i = 0;; ++i) corrupter.store(field, counts ? old + i * step : values[i % 4]);
}

int run_program(const std::vector<std::string>& words, std::string& output) {
  const int out = ::memfd_create("output", MFD_CLOEXEC);
  const pid_t pid = start([&] {
    const int in = ::open("/dev/null", O_RDONLY);
    ::dup2(in, 0);
    ::dup2(out, 1);
    ::dup2(out, 2);
    ::setenv("ASAN_OPTIONS", "abort_on_error=1:max_allocation_size_mb=512", 1);
    ::setenv("UBSAN_OPTIONS", "abort_on_error=1:print_stacktrace=1", 1);
    std::vector<char*> arguments;
    for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    ::execv(arguments[0], arguments.data());
    std::_Exit(127);
  });
  const int status = wait_for(pid);
  output.resize(static_cast<std::size_t>(::lseek(out, 0, SEEK_END)));
  (void)!::pread(out, output.data(), output.size(), 0);
  ::close(out);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace hostile
