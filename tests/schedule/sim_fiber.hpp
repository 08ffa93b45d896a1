#pragma once
// A stack of its own for each simulated thread, and a switch between them that enters no system call.
//
// One OS thread owns every fiber. A fiber may be left for good at any switch (that is how a crash is
// simulated): its frames are never unwound, so code that runs on a fiber must own no memory across a
// scheduling point.

#include <cstddef>
#include <memory>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

#if defined(__SANITIZE_ADDRESS__)
#define SHMQ_SIM_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SHMQ_SIM_ASAN 1
#endif
#endif

namespace sim {

class Fiber {
 public:
  using Entry = void (*)(void*);
  static constexpr std::size_t stack_bytes = 128 * 1024;

  Fiber() = default;  // stands for the stack that is already running; it has none of its own
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // Makes the next switch to this fiber call entry(argument), whatever it was doing. entry must never return.
  void prepare(Entry entry, void* argument);

  // Leaves `from`, which must be the running fiber, and goes on in this one.
  void resume_from(Fiber& from);

 private:
  static void start();
  void finish_switch();

  std::unique_ptr<std::byte[]> stack_;
  Entry entry_ = nullptr;
  void* argument_ = nullptr;
#if defined(__x86_64__)
  void* stack_pointer_ = nullptr;
#else
  ucontext_t context_{};
#endif
#if defined(SHMQ_SIM_ASAN)
  const void* asan_bottom_ = nullptr;
  std::size_t asan_size_ = 0;
  void* asan_fake_stack_ = nullptr;
#endif
};

}  // namespace sim
