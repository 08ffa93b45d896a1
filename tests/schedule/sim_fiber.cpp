#include "sim_fiber.hpp"

#include <cstdint>
#include <cstdlib>
#include <cstring>

#if defined(SHMQ_SIM_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace sim {
namespace {
// The two ends of the switch in progress. Fibers belong to one OS thread, so two plain globals are enough.
Fiber* switching_from = nullptr;
Fiber* switching_to = nullptr;
}  // namespace

#if defined(__x86_64__)
// swapcontext would do, but it saves the signal mask by a system call, twenty times the cost of the rest.
extern "C" void shmq_sim_switch(void** save_stack_pointer, void* load_stack_pointer);
__asm__(
    ".text\n"
    ".p2align 4\n"
    ".type shmq_sim_switch,@function\n"
    "shmq_sim_switch:\n"
    "  pushq %rbp\n  pushq %rbx\n  pushq %r12\n  pushq %r13\n  pushq %r14\n  pushq %r15\n"
    "  movq %rsp, (%rdi)\n"
    "  movq %rsi, %rsp\n"
    "  popq %r15\n  popq %r14\n  popq %r13\n  popq %r12\n  popq %rbx\n  popq %rbp\n"
    "  ret\n"
    ".size shmq_sim_switch,.-shmq_sim_switch\n");
#endif

void Fiber::prepare(Entry entry, void* argument) {
  if (!stack_) stack_ = std::make_unique<std::byte[]>(stack_bytes);
  entry_ = entry;
  argument_ = argument;
#if defined(SHMQ_SIM_ASAN)
  // The frames of an abandoned run left their red zones behind. Its fake stack, if any, is used again.
  __asan_unpoison_memory_region(stack_.get(), stack_bytes);
  asan_bottom_ = stack_.get();
  asan_size_ = stack_bytes;
#endif
#if defined(__x86_64__)
  auto top = reinterpret_cast<std::uintptr_t>(stack_.get() + stack_bytes) & ~std::uintptr_t{15};
  auto* frame = reinterpret_cast<void**>(top) - 8;  // six registers, the address to return to, and padding
  std::memset(frame, 0, 8 * sizeof(void*));
  frame[6] = reinterpret_cast<void*>(&Fiber::start);  // leaves rsp 8 past a multiple of 16, as a call would
  stack_pointer_ = frame;
#else
  getcontext(&context_);
  context_.uc_stack.ss_sp = stack_.get();
  context_.uc_stack.ss_size = stack_bytes;
  context_.uc_link = nullptr;
  makecontext(&context_, &Fiber::start, 0);
#endif
}

void Fiber::resume_from(Fiber& from) {
  switching_from = &from;
  switching_to = this;
#if defined(SHMQ_SIM_ASAN)
  __sanitizer_start_switch_fiber(&from.asan_fake_stack_, asan_bottom_, asan_size_);
#endif
#if defined(__x86_64__)
  shmq_sim_switch(&from.stack_pointer_, stack_pointer_);
#else
  swapcontext(&from.context_, &context_);
#endif
  from.finish_switch();
}

void Fiber::finish_switch() {
#if defined(SHMQ_SIM_ASAN)
  const void* bottom = nullptr;
  std::size_t size = 0;
  __sanitizer_finish_switch_fiber(asan_fake_stack_, &bottom, &size);
  switching_from->asan_bottom_ = bottom;  // how the first fiber, the OS thread's own stack, gets its bounds
  switching_from->asan_size_ = size;
#endif
}

void Fiber::start() {
  switching_to->finish_switch();
  switching_to->entry_(switching_to->argument_);
  std::abort();  // entry must end by switching away
}

}  // namespace sim
