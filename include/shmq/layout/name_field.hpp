// Text in shared memory, with a zero at its end: a name has up to 63 bytes. Kept in atomic words, since a reader may look
// at an entry that is being given away: it can then see a mixture, and must check the entry's word afterwards, but never
// more bytes than there are.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace shmq::layout {

template <std::size_t Words>
struct TextField {
  std::atomic<std::uint64_t> words[Words];

  /// Longer text is cut.
  void set(std::string_view text) {
    char bytes[sizeof words] = {};
    if (!text.empty()) std::memcpy(bytes, text.data(), std::min(text.size(), sizeof bytes - 1));
    for (std::size_t i = 0; i < Words; ++i) {
      std::uint64_t word = 0;
      std::memcpy(&word, bytes + 8 * i, 8);
      words[i].store(word, std::memory_order_relaxed);
    }
  }

  std::string get() const {
    char bytes[sizeof words];
    for (std::size_t i = 0; i < Words; ++i) {
      const std::uint64_t word = words[i].load(std::memory_order_relaxed);
      std::memcpy(bytes + 8 * i, &word, 8);
    }
    return std::string(bytes, ::strnlen(bytes, sizeof bytes - 1));
  }
};
using NameField = TextField<8>;
static_assert(sizeof(NameField) == 64);

}  // namespace shmq::layout
