#include "watch.hpp"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>

namespace hostile {

namespace {

unsigned initial_patience() {
  const char* const asked = std::getenv("SHMQ_HOSTILE_PATIENCE");
  return asked == nullptr ? kPatienceSeconds : static_cast<unsigned>(std::atoi(asked));
}
unsigned patience_seconds = initial_patience();

struct Shared {
  Progress progress;
  char said[1024] = {};
};

Shared& shared() {
  static Shared* const kShared = [] {
    void* const page = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return new (page) Shared;
  }();
  return *kShared;
}

void say(const std::string& what) {
  std::strncpy(shared().said, what.c_str(), sizeof shared().said - 1);
}

/// A vector sized by a hostile count is an allocation that fails, here, and not one that swallows the machine.
void limit_memory() {
#if !defined(__SANITIZE_ADDRESS__)
  const rlimit most{std::uint64_t{512} << 20, std::uint64_t{512} << 20};
  (void)::setrlimit(RLIMIT_DATA, &most);
#endif
  const rlimit none{0, 0};
  (void)::setrlimit(RLIMIT_CORE, &none);
}

[[noreturn]] void child(const std::function<std::string(Progress&)>& work) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  limit_memory();
  ::signal(SIGALRM, SIG_DFL);
  ::alarm(patience_seconds);
  try {
    const std::string wrong = work(shared().progress);
    if (wrong.empty()) std::_Exit(0);
    say(wrong);
  } catch (const std::exception& error) {
    say(std::string("an exception: ") + error.what());
  }
  std::_Exit(1);
}

std::string verdict(int status) {
  std::string text;
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
    text = "hangs (" + std::to_string(patience_seconds) + " s)";
  else if (WIFSIGNALED(status))
    text = std::string("killed by ") + ::strsignal(WTERMSIG(status));
  else if (WEXITSTATUS(status) != 0)
    text = shared().said[0] != 0 ? shared().said : "exit status " + std::to_string(WEXITSTATUS(status));
  else
    return {};
  const char* const operation = shared().progress.operation.load();
  return text + " in " + (operation == nullptr ? "the beginning" : operation) + ", step " +
         std::to_string(shared().progress.step.load()) + "; damage: " + shared().progress.story;
}

}  // namespace

void set_patience(unsigned seconds) { patience_seconds = seconds; }

std::string watch(const std::function<std::string(Progress&)>& work) {
  new (&shared()) Shared;
  const pid_t pid = ::fork();
  if (pid == 0) child(work);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return verdict(status);
}

std::string watch_case(Manner manner, std::uint64_t seed) {
  (void)sound_image();
  const std::string name = "hostile-" + std::to_string(::getpid());
  const std::string wrong = watch([&](Progress& progress) { return run_case(manner, seed, name, progress); });
  if (wrong.empty()) return {};
  ::unlink(("/dev/shm/shmq." + name).c_str());
  return wrong + "\n  again: shmq-hostile --case " + to_string(manner) + ":" + std::to_string(seed) + " [--here]";
}

}  // namespace hostile

// A report is a crash, whatever the environment says; and an allocation by a hostile count is a report.
extern "C" const char* __asan_default_options();
extern "C" const char* __asan_default_options() {
  return "abort_on_error=1:max_allocation_size_mb=512:detect_leaks=0:allow_user_segv_handler=0";
}
extern "C" const char* __ubsan_default_options();
extern "C" const char* __ubsan_default_options() { return "print_stacktrace=1:abort_on_error=1"; }
