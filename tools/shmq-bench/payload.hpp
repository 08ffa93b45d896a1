// What producers do to a payload, and consumers: one word is written in every cache line that it lies in, and
// every one of them is read. The same for all systems under test, so that each moves the same lines.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace shmq::bench {

inline constexpr std::size_t kLine = 64;
inline constexpr std::size_t kPayloadLeast = 8;

/// First words that are no sequence number: the last message of a run.
inline constexpr std::uint64_t kEnd = ~std::uint64_t{0};

/// Writes `first`, and a word derived from it to every further line: also to the last bytes, which may lie in
/// a line of their own where a payload does not start with a line. Returns the sum of the words written.
inline std::uint64_t write_payload(std::byte* data, std::size_t bytes, std::uint64_t first) {
  std::uint64_t sum = 0;
  const auto put = [&](std::size_t at, std::uint64_t word) {
    std::memcpy(data + at, &word, sizeof word);
    sum += word;
  };
  std::size_t at = 0;
  for (; at + kPayloadLeast < bytes; at += kLine) put(at, first + at);
  if (bytes == kPayloadLeast)
    put(0, first);
  else
    put(bytes - kPayloadLeast, first + bytes);
  return sum;
}

/// The sum of the same words as they are found.
inline std::uint64_t read_payload(const std::byte* data, std::size_t bytes) {
  std::uint64_t sum = 0;
  const auto get = [&](std::size_t at) {
    std::uint64_t word = 0;
    std::memcpy(&word, data + at, sizeof word);
    sum += word;
  };
  std::size_t at = 0;
  for (; at + kPayloadLeast < bytes; at += kLine) get(at);
  if (bytes == kPayloadLeast)
    get(0);
  else
    get(bytes - kPayloadLeast);
  return sum;
}

/// The compiler must come to this value: it would leave out what was read for a sum that nobody looks at.
inline void keep(std::uint64_t value) { asm volatile("" : : "r"(value)); }

inline std::uint64_t first_word(const std::byte* data) {
  std::uint64_t word = 0;
  std::memcpy(&word, data, sizeof word);
  return word;
}

}  // namespace shmq::bench
