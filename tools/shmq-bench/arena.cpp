#include "arena.hpp"

#include <sys/mman.h>

#include <cerrno>

#include "base/text.hpp"
#include "failure.hpp"

namespace shmq::bench {

namespace {
constexpr std::size_t kPage = 4096;
}

Arena::Arena(std::size_t bytes) : bytes_((bytes + kPage - 1) / kPage * kPage) {
  void* const at =
      ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (at == MAP_FAILED)
    throw cli::Failure{cli::kFailed, "cannot map " + base::size_text(bytes_) +
                                         " to share between the roles: " + base::errno_text(errno) +
                                         "; use a smaller --size or --capacity"};
  memory_ = static_cast<std::byte*>(at);
}

Arena::~Arena() { ::munmap(memory_, bytes_); }

std::byte* Arena::take(std::size_t bytes) {
  const std::size_t rounded = (bytes + kPage - 1) / kPage * kPage;
  if (rounded > bytes_ - used_)
    throw cli::Failure{cli::kFailed, "the memory planned for the roles is too small"};
  return memory_ + std::exchange(used_, used_ + rounded);
}

}  // namespace shmq::bench
