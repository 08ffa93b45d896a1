// recv: messages become standard output. One is released only after write() took all of it.
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <map>
#include <vector>

#include "address.hpp"
#include "base/text.hpp"
#include "commands.hpp"
#include "failure.hpp"
#include "options.hpp"
#include "records.hpp"
#include "shmq/base/clock.hpp"
#include "shmq/layout/spsc_header.hpp"
#include "shmq/selector.hpp"
#include "signals.hpp"
#include "write_list.hpp"

namespace shmq::cli {

namespace {

constexpr std::size_t kGather = std::size_t{64} << 10;  // bytes per write, where so much is there

constexpr std::int64_t kLookNs = 100'000'000;  // how often a wait looks after its reader

bool reader_is_gone(int fd) {
  pollfd watched{fd, 0, 0};
  return ::poll(&watched, 1, 0) == 1 && (watched.revents & (POLLERR | POLLHUP)) != 0;
}

/// What becomes of a message that was written.
enum class Afterwards { release, requeue, reject };

struct RecvOptions {
  Afterwards afterwards = Afterwards::release;
  Framing framing = Framing::line;
  std::optional<std::uint64_t> count;
  bool until_closed = false;
  std::optional<std::int64_t> idle_ns;
};

/// How much of one queue's ring the messages take that are held here. A record says how long it is only by where the next
/// one begins: a sender may have claimed more than it wrote. Until then its payload speaks for it.
class RingShare {
 public:
  /// `most` bytes; 0: of a queue without a ring, which is not bounded here.
  RingShare(std::uint64_t most, std::uint64_t generation) : most_(most), generation_(generation) {}

  /// Whether one more like the last one may be held; always true of the first.
  bool has_room() const { return most_ == 0 || bytes_ == 0 || bytes_ + last_ <= most_; }

  void add(const Message& message) {
    constexpr std::size_t kBesidePayload = sizeof(layout::MessageMetadata) + sizeof(layout::Origin);
    std::uint64_t bytes = layout::extent_for(message.size() + kBesidePayload);
    const MessageId id = message.id();  // its position, unless it was forwarded from another queue
    const std::uint64_t step = id.position - position_;
    if (bytes_ != 0 && id.generation == generation_ && step <= 4 * most_) {
      bytes_ += step - last_;
      bytes = std::max(bytes, step);
    }
    position_ = id.generation == generation_ ? id.position : kUnknown;
    bytes_ += last_ = bytes;
  }

  void clear() { bytes_ = last_ = 0; }

 private:
  static constexpr std::uint64_t kUnknown = UINT64_MAX / 2;
  std::uint64_t most_;
  std::uint64_t generation_;
  std::uint64_t bytes_ = 0;
  std::uint64_t last_ = 0;
  std::uint64_t position_ = kUnknown;
};

class Receiver {
 public:
  Receiver(const std::vector<Queue<void>>& queues, const Interruption& interruption, const RecvOptions& options)
      : interruption_(interruption), options_(options) {
    for (const Queue<void>& queue : queues) {
      consumers_.push_back(need(queue.open_consumer()));
      // A queue whose slots or bytes are all held here is full for its producers: most of it stays theirs.
      const bool ring = queue.kind() == QueueKind::spsc;
      shares_.emplace_back(ring ? queue.capacity() / 4 : 0, queue.generation());
      bounded_by_bytes_ |= ring;
      if (!ring) held_max_ = std::min(held_max_, std::max<std::uint64_t>(queue.capacity() / 4, 1));
    }
    if (consumers_.size() > 1)
      for (Consumer<void>& consumer : consumers_) selector_.add(consumer);
  }

  int run();

 private:
  Outcome wait();
  Outcome receive(const Limit* limit);
  std::uint64_t wanted() const;
  void hold(Message message, std::size_t from);
  void gather();
  bool write_out();
  void settle(std::size_t written);
  void finish(Message& message);
  int ended(Outcome outcome) const;

  std::vector<Consumer<void>> consumers_;
  Selector selector_;  // over all of them, where they are more than one
  const Interruption& interruption_;
  const RecvOptions options_;
  std::uint64_t held_max_ = 1024;
  std::vector<RingShare> shares_;  // one for each consumer
  bool bounded_by_bytes_ = false;
  std::vector<Message> held_;
  std::uint64_t done_ = 0;
  bool reader_gone_ = false;
  WriteList list_;
  std::uint64_t typical_bytes_ = 64;  // of a message, lately
};

/// How many to ask for: not more than --count, than fit one write, than may be held. How much of a ring a message takes
/// shows only when it is there, so they are asked for one by one.
std::uint64_t Receiver::wanted() const {
  std::uint64_t most = std::min<std::uint64_t>(Consumer<void>::kBatchMax, held_max_ - held_.size());
  if (bounded_by_bytes_)
    most = std::min<std::uint64_t>(most, std::all_of(shares_.begin(), shares_.end(), [](const RingShare& s) { return s.has_room(); }));
  if (options_.count) most = std::min(most, *options_.count - done_ - held_.size());
  return std::min(most, std::max<std::uint64_t>(1, kGather / typical_bytes_));
}

void Receiver::hold(Message message, std::size_t from) {
  list_.add(message.data());
  if (bounded_by_bytes_) shares_[from].add(message);
  if (options_.framing != Framing::whole)
    list_.add(options_.framing == Framing::nul ? std::byte{0} : std::byte{'\n'});
  held_.push_back(std::move(message));
}

/// Takes some messages and holds them: of one queue as many as are wanted at once, of several one, so that each has its
/// turn. `limit` null: without waiting.
Outcome Receiver::receive(const Limit* limit) {
  if (consumers_.size() > 1) {
    Selected got = limit != nullptr ? selector_.receive(*limit) : selector_.try_receive();
    const Outcome outcome = got.outcome();
    if (got) hold(std::move(got.message), got.source);
    return outcome;
  }
  Consumer<void>& consumer = consumers_.front();
  MessageBatch batch =
      limit != nullptr ? consumer.receive_batch(wanted(), *limit) : consumer.try_receive_batch(wanted());
  const Outcome outcome = batch.outcome();
  const std::size_t before = list_.size(), count = batch.size();
  while (batch) hold(batch.pop_front(), 0);
  if (count != 0) typical_bytes_ = std::max<std::uint64_t>(1, (list_.size() - before) / count);
  return outcome;
}

/// The next messages. Only a write tells that the reader of a pipe has gone, and while nothing comes nothing
/// is written: so a long wait looks now and then, and sets `reader_gone_`.
Outcome Receiver::wait() {
  const std::int64_t until_ns = options_.idle_ns ? base::monotonic_ns() + *options_.idle_ns : INT64_MAX;
  for (;;) {
    const std::int64_t left_ns = std::max<std::int64_t>(0, until_ns - base::monotonic_ns());
    const Limit limit{interruption_.token(), std::chrono::nanoseconds(std::min(left_ns, kLookNs))};
    const Outcome outcome = receive(&limit);
    if (outcome != Outcome::timeout || left_ns <= kLookNs) return outcome;
    if (reader_is_gone(STDOUT_FILENO)) {
      reader_gone_ = true;
      return outcome;
    }
  }
}

/// Adds what is there already. Nothing that was received waits for what is yet to come.
void Receiver::gather() {
  while (list_.size() < kGather && list_.roomy(Consumer<void>::kBatchMax) && wanted() != 0) {
    if (receive(nullptr) != Outcome::ok) return;  // what is wrong, if anything, the next waiting call says again
  }
}

/// One that was written as a whole.
void Receiver::finish(Message& message) {
  const MessageId id = message.id();
  Outcome outcome = Outcome::ok;
  switch (options_.afterwards) {
    case Afterwards::release:
      message.release();
      break;
    case Afterwards::requeue:
      message.requeue();
      break;
    case Afterwards::reject:
      outcome = message.reject();
      break;
  }
  if (outcome != Outcome::ok)
    throw Failure{outcome == Outcome::closed || outcome == Outcome::removed ? kClosed : kFull,
                  "the dead-letter queue does not take message " + std::to_string(id.generation) + ":" +
                      std::to_string(id.position) + " (" + to_string(outcome) + "), which was written and stays here; " +
                      std::to_string(done_) + " messages were rejected before it"};
  ++done_;
}

/// Is done with the messages that lie wholly within the first `written` bytes of the list and gives the others
/// back.
void Receiver::settle(std::size_t written) {
  const std::size_t terminator = options_.framing == Framing::whole ? 0 : 1;
  for (Message& message : held_) {
    if (message.size() + terminator > written) {
      written = 0;  // from here on nothing was written as a whole
      message.requeue();
      continue;
    }
    written -= message.size() + terminator;
    finish(message);
  }
}

/// False where this ends the command cleanly: the reader has gone, or a signal came.
bool Receiver::write_out() {
  const WriteList::Written written = list_.write_all(STDOUT_FILENO, interruption_);
  const bool whole = written.bytes == list_.size() && written.error == 0;
  if (whole) {
    for (Message& message : held_) finish(message);
  } else {
    settle(written.bytes);
  }
  held_.clear();
  for (RingShare& share : shares_) share.clear();
  list_.clear();
  if (written.error != 0 && written.error != EPIPE)
    throw Failure{kFailed, "cannot write to standard output: " + base::errno_text(written.error) + "; " +
                               std::to_string(done_) +
                               " messages were written and released, the others are still in the queue"};
  return whole;
}

int Receiver::ended(Outcome outcome) const {
  const std::string received =
      std::to_string(done_) + (done_ == 1 ? " message was received" : " messages were received");
  switch (outcome) {
    case Outcome::stopped:
      return kOk;
    case Outcome::closed:
      if (!options_.count || options_.until_closed) return kOk;
      throw Failure{kClosed, "the queue was closed before --count was reached: " + received};
    case Outcome::timeout:
      if (!options_.count && !options_.until_closed) return kOk;
      throw Failure{kFull, std::string("no message came within --idle before ") +
                               (options_.count ? "--count was reached" : "the queue was closed") + ": " +
                               received};
    case Outcome::removed:
      throw Failure{kClosed, std::string(consumers_.size() > 1 ? "a" : "the") + " queue was removed: " + received};
    default:
      throw Failure{kFailed, std::string("the segment is damaged (") + to_string(outcome) + "): " + received};
  }
}

int Receiver::run() {
  while (!options_.count || done_ < *options_.count) {
    if (interruption_.requested()) return kOk;
    const Outcome outcome = wait();
    if (reader_gone_) return kOk;
    if (outcome != Outcome::ok) return ended(outcome);
    gather();
    if (!write_out()) return kOk;
  }
  return kOk;
}

}  // namespace

int recv_command(const Words& words) {
  const Arguments arguments(
      words, {{"-0"}, {"--whole"}, {"--count", "N"}, {"--until-closed"}, {"--idle", "SECONDS"}, {"--requeue"}, {"--reject"}});
  if (arguments.words().empty()) throw UsageError{"needs SEG/Q"};
  std::vector<Address> addresses;
  for (const std::string& word : arguments.words()) addresses.push_back(parse_queue(word));
  if (arguments.has("-0") && arguments.has("--whole")) throw UsageError{"-0 and --whole exclude one another"};
  RecvOptions options;
  options.framing = arguments.has("--whole") ? Framing::whole
                    : arguments.has("-0")    ? Framing::nul
                                             : Framing::line;
  if (arguments.has("--count")) options.count = arguments.number("--count", 0, 1, UINT64_MAX);
  options.until_closed = arguments.has("--until-closed");
  options.idle_ns = arguments.seconds_ns("--idle");
  if (arguments.has("--requeue") && arguments.has("--reject"))
    throw UsageError{"--requeue and --reject exclude one another"};
  if (arguments.has("--requeue") && !options.count)
    throw UsageError{"--requeue needs --count: what it puts back comes again"};
  options.afterwards = arguments.has("--requeue")  ? Afterwards::requeue
                       : arguments.has("--reject") ? Afterwards::reject
                                                   : Afterwards::release;
  const Interruption interruption;
  std::map<std::string, Segment> segments;  // each attached once
  std::vector<Queue<void>> queues;
  for (const Address& address : addresses) {
    auto known = segments.find(address.segment);
    if (known == segments.end())
      known = segments.emplace(address.segment, open_segment(address.segment, "recv")).first;
    queues.push_back(open_queue(known->second, address.queue));
  }
  return Receiver(queues, interruption, options).run();
}

}  // namespace shmq::cli
