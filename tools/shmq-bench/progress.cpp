#include "progress.hpp"

#include <cstdio>

namespace shmq::bench {

void Progress::begin(const std::string& what, std::uint64_t steps, const std::atomic<std::uint64_t>* done) {
  what_ = what;
  steps_ = steps;
  done_ = done;
  if (mode_ == Mode::lines) std::fprintf(stderr, "shmq-bench: %s\n", what_.c_str());
  tick();
}

void Progress::tick() {
  if (mode_ != Mode::terminal) return;
  const std::uint64_t done = done_ == nullptr ? 0 : done_->load(std::memory_order_relaxed);
  std::fprintf(stderr, "\r\033[K%s  %3llu %%", what_.c_str(),
               static_cast<unsigned long long>(steps_ == 0 ? 0 : done * 100 / steps_));
  std::fflush(stderr);
  drawn_ = true;
}

void Progress::clear() {
  done_ = nullptr;
  if (!drawn_) return;
  std::fputs("\r\033[K", stderr);
  std::fflush(stderr);
  drawn_ = false;
}

}  // namespace shmq::bench
