// The payload that every peer carries: its producer writes a word of every cache line, its consumer reads and
// checks a word of every cache line. The first word is the stamp, the word of line i is stamp + i.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace bench {

inline constexpr std::size_t kLine = 64;
/// A stamp that says: this was the last one.
inline constexpr std::uint64_t kEnd = ~std::uint64_t{0};

inline std::uint64_t stamp_of(const void* payload) {
  std::uint64_t stamp = 0;
  std::memcpy(&stamp, payload, sizeof(stamp));
  return stamp;
}

template <std::size_t Bytes>
inline void write_payload(void* room, std::uint64_t stamp) {
  static_assert(Bytes >= sizeof(stamp) && (Bytes < kLine || Bytes % kLine == 0));
  auto* at = static_cast<std::byte*>(room);
  for (std::size_t offset = 0; offset < Bytes; offset += kLine, ++stamp)
    std::memcpy(at + offset, &stamp, sizeof(stamp));
}

/// Its stamp; `sound` is cleared where a line is not what was sent.
template <std::size_t Bytes>
inline std::uint64_t read_payload(const void* payload, bool& sound) {
  const auto* at = static_cast<const std::byte*>(payload);
  const std::uint64_t stamp = stamp_of(payload);
  std::uint64_t wrong = 0;
  for (std::size_t offset = kLine, i = 1; offset < Bytes; offset += kLine, ++i) {
    std::uint64_t word = 0;
    std::memcpy(&word, at + offset, sizeof(word));
    wrong |= word ^ (stamp + i);
  }
  if (wrong != 0) sound = false;
  return stamp;
}

}  // namespace bench
