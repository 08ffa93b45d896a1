// Two sides that answer each other over two queues of one kind: there and back.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "arena.hpp"
#include "queue_ends.hpp"
#include "settings.hpp"

namespace shmq::bench {

/// Both directions of one system under test, as one of the two sides sees them.
template <class Sender, class Receiver>
struct Ends {
  Sender out;
  Receiver in;
};
using ShmqEnds = Ends<ShmqSender, ShmqReceiver>;

struct PairShape {
  std::size_t bytes = 0;
  std::uint64_t capacity = 0;
};

/// One pair of queues for each kind, in the order of `kinds`. The side that `pings` creates the segment, the
/// other one opens it when both have met.
std::vector<std::unique_ptr<ShmqEnds>> attach_pair(const Settings& settings, const std::vector<Kind>& kinds,
                                                   const PairShape& shape, Barrier& both,
                                                   const std::string& segment, bool pings);

}  // namespace shmq::bench
