// Every shared mapping that the library makes in these programs lies in the middle of 128 GiB of addresses that nobody
// may touch: a read or write beside it, by a few bytes or by a wild offset, is a SIGSEGV. AddressSanitizer does not know
// mappings, and without this a wrong offset would land in the neighbouring one and go unnoticed.
//
// The linker sends the library's calls of mmap() here (-Wl,--wrap); the library knows nothing of it.
#include "guard_mmap.hpp"

#include <sys/mman.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

extern "C" {
void* __real_mmap(void* address, std::size_t length, int protection, int flags, int descriptor, off_t offset);
int __real_munmap(void* address, std::size_t length);
}

namespace {

constexpr std::size_t kBeside = std::size_t{1} << 36;
constexpr std::size_t kPage = 4096;

struct Guarded {
  std::atomic<std::uintptr_t> address{0};
};
Guarded guarded[64];

void* guarded_mmap(void* address, std::size_t length, int protection, int flags, int descriptor, off_t offset) {
  if (address != nullptr || descriptor < 0 || (flags & MAP_SHARED) == 0)
    return __real_mmap(address, length, protection, flags, descriptor, offset);
  const std::size_t whole = (length + kPage - 1) / kPage * kPage + 2 * kBeside;
  void* const reserved = __real_mmap(nullptr, whole, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (reserved == MAP_FAILED) return MAP_FAILED;
  void* const wanted = static_cast<std::byte*>(reserved) + kBeside;
  void* const mapped = __real_mmap(wanted, length, protection, flags | MAP_FIXED, descriptor, offset);
  if (mapped == MAP_FAILED) {
    __real_munmap(reserved, whole);
    return MAP_FAILED;
  }
  for (Guarded& slot : guarded) {
    std::uintptr_t none = 0;
    if (slot.address.compare_exchange_strong(none, reinterpret_cast<std::uintptr_t>(mapped))) return mapped;
  }
  __builtin_trap();  // more segments open at once than any case opens
}

}  // namespace

extern "C" {

void* __wrap_mmap(void* address, std::size_t length, int protection, int flags, int descriptor, off_t offset) {
  return guarded_mmap(address, length, protection, flags, descriptor, offset);
}

int __wrap_munmap(void* address, std::size_t length) {
  for (Guarded& slot : guarded) {
    std::uintptr_t mine = reinterpret_cast<std::uintptr_t>(address);
    if (mine == 0 || !slot.address.compare_exchange_strong(mine, 0)) continue;
    const std::size_t whole = (length + kPage - 1) / kPage * kPage + 2 * kBeside;
    return __real_munmap(static_cast<std::byte*>(address) - kBeside, whole);
  }
  return __real_munmap(address, length);
}

}  // extern "C"

namespace hostile {

bool is_guarded(const void* address) {
  for (const Guarded& slot : guarded)
    if (slot.address.load() == reinterpret_cast<std::uintptr_t>(address)) return true;
  return false;
}

}  // namespace hostile
