// A name in shared memory: 63 bytes and a zero. Kept in atomic words, since a reader may look at an entry
// that is being given away: it can then see a mixture, and must check the entry's word afterwards, but never
// more than 63 bytes.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace shmq::layout {

struct NameField {
  std::atomic<std::uint64_t> words[8];

  /// Longer names are cut.
  void set(std::string_view name) {
    char bytes[sizeof words] = {};
    if (!name.empty()) std::memcpy(bytes, name.data(), std::min(name.size(), sizeof bytes - 1));
    for (std::size_t i = 0; i < 8; ++i) {
      std::uint64_t word = 0;
      std::memcpy(&word, bytes + 8 * i, 8);
      words[i].store(word, std::memory_order_relaxed);
    }
  }

  std::string get() const {
    char bytes[sizeof words];
    for (std::size_t i = 0; i < 8; ++i) {
      const std::uint64_t word = words[i].load(std::memory_order_relaxed);
      std::memcpy(bytes + 8 * i, &word, 8);
    }
    return std::string(bytes, ::strnlen(bytes, sizeof bytes - 1));
  }
};
static_assert(sizeof(NameField) == 64);

}  // namespace shmq::layout
