// One case: a fresh copy of the sound segment, hostile bytes in it, and the library at work on it. Everything follows
// from the manner and the seed, but for the manners in which a second process writes at the same time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "operations.hpp"

namespace hostile {

enum class Manner : std::uint8_t {
  before,    // the bytes are there before the segment is opened
  under,     // they come when it is open, in use, and with somebody killed meanwhile
  extremes,  // one field at a time, each at each of its extremes (the seed counts them)
  meanwhile, // another process writes all the time: what was checked changes before it is used
  flicker,   // another process writes one word as fast as it can
  copies,    // damaged and truncated files, inspected
  programs,  // shmq-stat and shmq over a damaged segment
};
inline constexpr Manner kManners[] = {Manner::before, Manner::under, Manner::extremes, Manner::meanwhile,
                                      Manner::flicker, Manner::copies, Manner::programs};
const char* to_string(Manner manner);
std::optional<Manner> manner_of(std::string_view name);
/// How many seeds of Manner::extremes there are.
std::uint64_t extremes_count();

/// Runs it in this process. What is wrong, or empty; it may well not return.
std::string run_case(Manner manner, std::uint64_t seed, const std::string& name, Progress& progress);

}  // namespace hostile
