// A process that uses the library through its public face: victim, survivor and corpse alike.
//
// As a survivor it is asked in words, "VERB QUEUE ARGUMENTS", and answers with what it received (see handle()). As a
// victim it does one thing under the stepper. Every wait has a limit, so that a wait that should have ended is reported
// by name; the limit is generous, since a loaded machine must not look like a wedged queue.
#pragma once

#include "process.hpp"
#include "task_hand.hpp"

#include "shmq/shmq.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace killtest {

inline constexpr std::chrono::seconds party_patience{8};
inline constexpr std::size_t inline_bytes = 24;  // fits a slot of 64 bytes, also with a forwarded message's origin
inline constexpr std::size_t block_bytes = 200;  // does not

class Party : public Actor {
 public:
  explicit Party(const std::string& segment) : Party(segment, shmq::Segment::open(segment)) {}
  Party(const std::string& segment, shmq::Result<shmq::Segment> opened);

  /// send Q FIRST [COUNT [BYTES]]   sends COUNT messages, blocking; answers how many before the queue was closed
  /// pacedsend Q FIRST [COUNT [BYTES]]  the same, each message only once those before it are taken
  /// trysend Q VALUE [BYTES]        answers the outcome
  /// drain Q                        receives and releases until the end of the stream; answers the receipts
  /// select Q                       the same through a Selector over two consumers of it
  /// poll Q                         the same in a loop over its consumer's descriptor
  /// recv Q COUNT | tryrecv Q COUNT receives and releases COUNT, or up to COUNT without waiting
  /// hold Q [COUNT]                 receives and keeps
  /// look                           receipts of what is kept, read again
  /// browse Q                       the values of what it keeps; throws where a payload is not its message's
  /// release | requeue              what was kept
  /// claim Q VALUE [BYTES]          claims and fills, and keeps
  /// publish | abort                what was claimed
  /// close Q | open Q | declare Q | declarespsc Q | remove Q | shut Q
  /// closed Q | generation Q        what the queue says of itself
  /// letgo Q                        of both ends; the queue stays open
  /// producerof Q | consumerof Q    tries to open that end, and lets go of it: "ok", or the error's message
  /// reap                           answers how many repairs it made
  /// t:...                          of the task table "t": TaskHand::handle()
  std::string handle(std::string_view request) override;

  shmq::Segment& segment() { return *segment_; }
  shmq::Queue<>& queue(const std::string& name) { return end(name).queue; }
  /// An end of an spsc queue is taken when it is first asked for.
  shmq::Producer<>& to(const std::string& name);
  shmq::Consumer<>& from(const std::string& name);

  /// What it has of the task table "t", which is opened when this is first asked for.
  TaskHand& tasks();

  /// Fills a claim with what a message of that value consists of.
  static void fill(shmq::Claim<>& claim, std::uint64_t value);
  static void fill(shmq::ClaimBatch& batch, std::size_t i, std::uint64_t value);
  /// Claims and fills; throws unless it got room.
  shmq::Claim<> claim(const std::string& queue, std::uint64_t value, std::size_t bytes = inline_bytes);
  /// Receives; throws unless it got a message, or if the message is torn.
  shmq::Message receive(const std::string& queue);
  /// One receipt: VALUE/MARKED/ID. Throws if the message is not whole.
  static std::string receipt(const shmq::Message& message);

  /// Forks a process that attaches to the same segment, does this and is then killed with SIGKILL.
  void leave_corpse(const std::function<void(Party&)>& deed) const;
  /// The same, killed at a kill point of the deed's second part. False: it has no such point.
  bool leave_corpse_at(std::size_t point, const std::function<void(Party&)>& before,
                       const std::function<void(Party&)>& act) const;

  /// Lets go of everything, the attachment last.
  void detach();

  // What a victim holds. The order of destruction does not matter: handles outlive each other.
  std::vector<shmq::Claim<>> claims;
  std::vector<shmq::ClaimBatch> claim_batches;
  std::vector<shmq::Producer<>> producers;
  std::vector<shmq::Consumer<>> consumers;
  std::vector<shmq::Message> messages;
  std::vector<shmq::MessageBatch> batches;
  std::vector<std::uint64_t> values;
  std::optional<shmq::Segment> again;  // a second attachment
  shmq::Selector selector;

 private:
  struct End {
    shmq::Queue<> queue;
    std::optional<shmq::Producer<>> producer;
    std::optional<shmq::Consumer<>> consumer;
  };
  End& end(const std::string& name);
  shmq::Claim<> paced_claim(const std::string& queue, std::size_t bytes);
  std::string send(const std::string& queue, std::uint64_t first, std::uint64_t count, std::size_t bytes, bool paced);
  std::string receive_some(const std::string& queue, std::uint64_t count, bool keep);

  std::string name_;
  std::optional<shmq::Segment> segment_;
  std::map<std::string, End> ends_;
  std::optional<TaskHand> tasks_;
};

/// The declaration of every mpmc queue in these tests, and of every spsc queue: a ring of 1024 bytes, in which a small
/// message takes 64 and a large one 224.
shmq::QueueOptions queue_options();
shmq::QueueOptions spsc_options();

/// Repeats `attempt`, which gives something with an outcome(), while another has the end that it needs.
template <class Attempt>
auto until_not_busy(Attempt&& attempt) {
  const auto give_up = std::chrono::steady_clock::now() + party_patience;
  for (;;) {
    auto got = attempt();
    if (got.outcome() != shmq::Outcome::busy || std::chrono::steady_clock::now() > give_up) return got;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

/// The outcome of a set-up call, or a Failure with its message.
template <class T>
T expect(shmq::Result<T> result) {
  if (!result) throw Failure(FailureKind::wrong, result.error().message());
  return std::move(*result);
}

}  // namespace killtest
