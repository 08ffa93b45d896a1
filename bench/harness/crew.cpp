#include "harness/crew.hpp"

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <iostream>
#include <stdexcept>
#include <string_view>
#include <thread>

#include "shmq/base/clock.hpp"

namespace bench {

namespace {

[[noreturn]] void wrong(const std::string& what) {
  std::cerr << what << "\nusage: … [--cpus=A,B,…] [--burst-ms=N] [--scaling] [options of Google Benchmark]\n";
  std::exit(2);
}

std::vector<int> allowed_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> cpus;
  if (::sched_getaffinity(0, sizeof(set), &set) == 0)
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
      if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  return cpus;
}

std::vector<int> parse_cpus(const std::string& text) {
  std::vector<int> cpus;
  const char* at = text.c_str();
  for (;;) {
    char* end = nullptr;
    const long cpu = std::strtol(at, &end, 10);
    if (end == at || cpu < 0 || cpu >= CPU_SETSIZE || (*end != '\0' && *end != ','))
      wrong("--cpus=" + text + ": give the numbers of CPUs, as in --cpus=0,1");
    cpus.push_back(static_cast<int>(cpu));
    if (*end == '\0') return cpus;
    at = end + 1;
  }
}

volatile sig_atomic_t interrupted = 0;
void interrupt(int signal) { interrupted = signal; }

}  // namespace

Settings& settings() {
  static Settings of_the_program{.cpus = allowed_cpus()};
  return of_the_program;
}

void take_settings(int& argc, char** argv) {
  int kept = 1;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument.starts_with("--cpus=")) {
      settings().cpus = parse_cpus(std::string(argument.substr(7)));
    } else if (argument == "--scaling") {
      settings().scaling = true;
    } else if (argument.starts_with("--burst-ms=")) {
      char* end = nullptr;
      settings().burst_ms = std::strtod(argv[i] + 11, &end);
      if (*end != '\0' || !(settings().burst_ms > 0 && settings().burst_ms <= 20'000))
        wrong(std::string(argument) + ": give milliseconds, 20000 at most");
    } else {
      argv[kept++] = argv[i];
    }
  }
  argc = kept;
  // A row that is interrupted ends its crew and removes what it made; see run_processes().
  struct sigaction action {};
  action.sa_handler = interrupt;
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

std::vector<unsigned> scaling_steps() {
  std::vector<unsigned> steps;
  for (unsigned n = 1; n <= 16 && n <= settings().cpus.size(); n *= 2) steps.push_back(n);
  return steps;
}

int interrupted_by() { return interrupted; }

void pin_to(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  if (::sched_setaffinity(0, sizeof(set), &set) != 0)
    throw std::runtime_error("cannot run on CPU " + std::to_string(cpu) + ": " + std::strerror(errno));
}

Crew::Crew(Place place) : place_(place) {}

void Crew::add(int cpu, std::function<void()> work) {
  if (workers_.size() == kWorkersMax) throw std::runtime_error("a crew has 64 workers at most");
  workers_.push_back({cpu, std::move(work)});
}

void Crew::run() {
  place_ == Place::processes ? run_processes() : run_threads();
  if (interrupted != 0) throw std::runtime_error("interrupted");
  if (const std::string error = first_error(); !error.empty()) throw std::runtime_error(error);
  if (page_->failed) throw std::runtime_error("a worker died");
}

void Crew::meet() {
  const auto size = static_cast<std::uint32_t>(workers_.size());
  const std::uint32_t goal = (page_->arrived.fetch_add(1) / size + 1) * size;
  while (page_->arrived.load() < goal) {
    if (page_->failed) throw std::runtime_error("");  // the worker that failed says why
    ::sched_yield();
  }
}

void Crew::work(std::size_t i) noexcept {
  try {
    pin_to(workers_[i].cpu);
    workers_[i].work();
  } catch (const std::exception& error) {
    std::strncpy(page_->errors[i].data(), error.what(), page_->errors[i].size() - 1);
    page_->failed = true;
  }
  ++page_->done;
}

std::int64_t Crew::patience_from_now() {
  return shmq::base::monotonic_ns() + kPatienceSeconds * std::int64_t{1'000'000'000};
}

std::string Crew::first_error() const {
  for (const auto& error : page_->errors)
    if (error[0] != '\0') return error.data();
  return {};
}

void Crew::run_threads() {
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < workers_.size(); ++i) threads.emplace_back([this, i] { work(i); });
  const std::int64_t patience_ends = patience_from_now();
  while (page_->done < workers_.size()) {
    if (interrupted != 0) std::_Exit(128 + interrupted);
    if (shmq::base::monotonic_ns() > patience_ends) {
      std::cerr << "threads are not done after " << kPatienceSeconds << " s: giving up\n";
      std::_Exit(1);
    }
    ::usleep(500);
  }
}

void Crew::run_processes() {
  std::vector<pid_t> children;
  const pid_t parent = ::getpid();
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() != parent) ::_exit(1);
      ::signal(SIGINT, SIG_IGN);
      work(i);
      ::_exit(page_->failed ? 1 : 0);
    }
    if (child < 0) page_->failed = true;
    if (child > 0) children.push_back(child);
  }
  const std::int64_t patience_ends = patience_from_now();
  bool killed = false;
  while (!children.empty()) {
    std::erase_if(children, [this](pid_t child) {
      int status = 0;
      if (::waitpid(child, &status, WNOHANG) != child) return false;
      if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) page_->failed = true;
      return true;
    });
    const bool late = shmq::base::monotonic_ns() > patience_ends;
    if (late && first_error().empty())
      std::strncpy(page_->errors[0].data(), "not done after half a minute: ended", page_->errors[0].size() - 1);
    if ((late || interrupted != 0 || page_->failed) && !killed) {
      for (const pid_t child : children) ::kill(child, SIGKILL);
      killed = true;
    }
    if (!children.empty()) ::usleep(500);
  }
}

}  // namespace bench
