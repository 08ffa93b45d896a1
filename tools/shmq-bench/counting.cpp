#include "counting.hpp"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>

// GCC says so by macros, clang by features.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SHMQ_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SHMQ_SANITIZED 1
#endif

#if defined(__GLIBC__) && !defined(SHMQ_SANITIZED)
#define SHMQ_COUNT_ALLOCATIONS 1
#else
#define SHMQ_COUNT_ALLOCATIONS 0
#endif

namespace {
std::atomic<std::uint64_t> allocations{0};
std::atomic<std::uint64_t> refused{0};
}  // namespace

#if SHMQ_COUNT_ALLOCATIONS
extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);

void* malloc(std::size_t bytes) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return __libc_malloc(bytes);
}
void* calloc(std::size_t count, std::size_t bytes) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return __libc_calloc(count, bytes);
}
void* realloc(void* old, std::size_t bytes) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return __libc_realloc(old, bytes);
}
void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return __libc_memalign(alignment, bytes);
}
}
#endif

namespace shmq::bench {

bool counts_allocations() {
#if SHMQ_COUNT_ALLOCATIONS
  // Only if ours is the malloc that is called.
  const std::uint64_t before = allocations.load();
  ::free(const_cast<void*>(static_cast<volatile void*>(::malloc(1))));
  return allocations.load() > before;
#else
  return false;
#endif
}

std::uint64_t allocations_so_far() { return allocations.load(std::memory_order_relaxed); }

const char* why_nothing_is_counted() {
#if defined(SHMQ_SANITIZED)
  return "the sanitizer of this build makes system calls and allocations of its own";
#else
  return "";
#endif
}

bool refuse_system_calls() {
#if defined(SHMQ_SANITIZED)
  // AddressSanitizer calls sigaltstack() before each function that does not return, _exit() too; where that is refused
  // it reports, crashes on the way, and waits for the lock of its own report for ever.
  return false;
#elif defined(__x86_64__)
  struct sigaction action {};
  action.sa_handler = [](int) { refused.fetch_add(1, std::memory_order_relaxed); };
  if (::sigaction(SIGSYS, &action, nullptr) != 0) return false;
  sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_exit_group, 2, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_rt_sigreturn, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{sizeof filter / sizeof filter[0], filter};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return false;
  if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0) return false;
  // It counts, or it proves nothing.
  const std::uint64_t before = refused.load();
  ::syscall(SYS_getppid);
  return refused.load() == before + 1;
#else
  return false;
#endif
}

std::uint64_t refused_so_far() { return refused.load(std::memory_order_relaxed); }

}  // namespace shmq::bench
