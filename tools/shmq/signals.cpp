#include "signals.hpp"

#include <signal.h>
#include <time.h>

#include "shmq/base/clock.hpp"

namespace shmq::cli {

namespace {

/// Interrupts system calls of the owner. Its default is to be ignored, so a stray one from outside does no
/// harm.
constexpr int kNudge = SIGURG;
constexpr long kNudgeEveryNs = 10'000'000;

void nothing(int) {}

bool ignored(int signal) {
  struct sigaction action {};
  return ::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

}  // namespace

Interruption::Interruption() {
  struct sigaction action {};
  action.sa_handler = nothing;  // without SA_RESTART: the call returns
  ::sigaction(kNudge, &action, nullptr);
  ::sigemptyset(&taken_);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP})
    if (!ignored(signal)) ::sigaddset(&taken_, signal);
  ::pthread_sigmask(SIG_BLOCK, &taken_, &former_);
  thread_ = std::thread([this] { watch(); });
}

Interruption::~Interruption() {
  over_.store(true);
  ::pthread_kill(thread_.native_handle(), kNudge);
  thread_.join();
  ::pthread_sigmask(SIG_SETMASK, &former_, nullptr);
}

void Interruption::watch() {
  sigset_t awaited = taken_;
  ::sigaddset(&awaited, kNudge);
  ::pthread_sigmask(SIG_BLOCK, &awaited, nullptr);
  while (!over_.load()) {
    const bool stopping = signal() != 0;
    const timespec pause{0, kNudgeEveryNs};
    const int came = stopping ? ::sigtimedwait(&awaited, nullptr, &pause) : ::sigwaitinfo(&awaited, nullptr);
    if (came > 0 && came != kNudge && !stopping) {
      since_ns_.store(base::monotonic_ns());
      signal_.store(came, std::memory_order_release);
      source_.request_stop();
    }
    if (signal() != 0 && !over_.load()) ::pthread_kill(owner_, kNudge);
  }
}

std::int64_t Interruption::age_ns() const { return base::monotonic_ns() - since_ns_.load(); }

const char* signal_name(int signal) {
  return signal == SIGINT ? "SIGINT" : signal == SIGTERM ? "SIGTERM" : "SIGHUP";
}

}  // namespace shmq::cli
