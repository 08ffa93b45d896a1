// Judges one epoch by its journals alone. Nothing here looks at a segment.
//
//  1  what is known to be published was got at the end of its way, at least once
//  2  nothing was got that was never intended
//  3  of the deliveries of one message in one queue at most one is not marked, and that is the first
//  4  after `released` was journalled, the message never comes again in that queue
//  5  in the queues with one consumer at a time, first deliveries of one producer come in the order of its sending, and
//     in the spsc queues those of all producers in the order of their positions
//  6  a message has one id() wherever and however often it comes, and no two messages have the same
// A forward of an inline payload may be cut between its two steps: such a message may come twice in
// `relay_out`, and at most one of its deliveries there is unmarked. Payloads in blocks are never in two
// queues.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "journal.hpp"

namespace soak {

struct Verdict {
  std::uint64_t published = 0;     // known to be
  std::uint64_t unsure = 0;        // intended, and killed before it could say more
  std::uint64_t got = 0;           // deliveries, of all queues
  std::uint64_t redeliveries = 0;  // marked ones
  std::uint64_t forwarded = 0;
  std::uint64_t forwarded_twice = 0;
  std::vector<std::string> violations;  // the first few, as sentences
  std::uint64_t violation_count = 0;
};

Verdict judge(const std::vector<Record>& records);

}  // namespace soak
