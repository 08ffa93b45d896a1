// recv: messages become standard output. One is released only after write() took all of it.
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <vector>

#include "address.hpp"
#include "base/text.hpp"
#include "commands.hpp"
#include "failure.hpp"
#include "options.hpp"
#include "records.hpp"
#include "shmq/base/clock.hpp"
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

class Receiver {
 public:
  Receiver(const Queue<void>& queue, const Interruption& interruption, const RecvOptions& options)
      : consumer_(need(queue.open_consumer())),
        interruption_(interruption),
        options_(options),
        // A queue whose slots are all held here is full for its producers: most of it stays theirs.
        held_max_(std::clamp<std::uint64_t>(queue.capacity() / 4, 1, 1024)) {}

  int run();

 private:
  MessageBatch wait();
  std::uint64_t wanted() const;
  void hold(MessageBatch batch);
  void gather();
  bool write_out();
  void settle(std::size_t written);
  void finish(MessageBatch& batch);
  void finish(Message& message);
  int ended(Outcome outcome) const;

  Consumer<void> consumer_;
  const Interruption& interruption_;
  const RecvOptions options_;
  const std::uint64_t held_max_;
  std::vector<MessageBatch> held_;
  std::uint64_t held_count_ = 0;
  std::uint64_t done_ = 0;
  bool reader_gone_ = false;
  WriteList list_;
  std::uint64_t typical_bytes_ = 64;  // of a message, lately
};

/// How many to ask for: not more than --count, than fit one write, than may be held.
std::uint64_t Receiver::wanted() const {
  std::uint64_t most = std::min<std::uint64_t>(Consumer<void>::kBatchMax, held_max_ - held_count_);
  if (options_.count) most = std::min(most, *options_.count - done_ - held_count_);
  return std::min(most, std::max<std::uint64_t>(1, kGather / typical_bytes_));
}

void Receiver::hold(MessageBatch batch) {
  const std::size_t before = list_.size();
  batch.for_each([&](const Message& message) {
    list_.add(message.data());
    if (options_.framing != Framing::whole)
      list_.add(options_.framing == Framing::nul ? std::byte{0} : std::byte{'\n'});
  });
  const std::size_t count = batch.size();
  typical_bytes_ = std::max<std::uint64_t>(1, (list_.size() - before) / count);
  held_count_ += count;
  held_.push_back(std::move(batch));
}

/// The next messages. Only a write tells that the reader of a pipe has gone, and while nothing comes nothing
/// is written: so a long wait looks now and then, and sets `reader_gone_`.
MessageBatch Receiver::wait() {
  const std::int64_t until_ns = options_.idle_ns ? base::monotonic_ns() + *options_.idle_ns : INT64_MAX;
  for (;;) {
    const std::int64_t left_ns = std::max<std::int64_t>(0, until_ns - base::monotonic_ns());
    MessageBatch batch = consumer_.receive_batch(
        wanted(), {interruption_.token(), std::chrono::nanoseconds(std::min(left_ns, kLookNs))});
    if (batch || batch.outcome() != Outcome::timeout || left_ns <= kLookNs) return batch;
    if (reader_is_gone(STDOUT_FILENO)) {
      reader_gone_ = true;
      return batch;
    }
  }
}

/// Adds what is there already. Nothing that was received waits for what is yet to come.
void Receiver::gather() {
  while (list_.size() < kGather && list_.roomy(Consumer<void>::kBatchMax) && wanted() != 0) {
    MessageBatch batch = consumer_.try_receive_batch(wanted());
    if (!batch) return;  // what is wrong, if anything, the next waiting call says again
    hold(std::move(batch));
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

void Receiver::finish(MessageBatch& batch) {
  if (options_.afterwards == Afterwards::release) {
    done_ += batch.size();
    batch.release();
    return;
  }
  while (batch) {
    Message message = batch.pop_front();
    finish(message);
  }
}

/// Is done with the messages that lie wholly within the first `written` bytes of the list and gives the others
/// back.
void Receiver::settle(std::size_t written) {
  const std::size_t terminator = options_.framing == Framing::whole ? 0 : 1;
  for (MessageBatch& batch : held_) {
    while (batch) {
      Message message = batch.pop_front();
      if (message.size() + terminator > written) {
        written = 0;  // from here on nothing was written as a whole
        message.requeue();
        batch.requeue();
        break;
      }
      written -= message.size() + terminator;
      finish(message);
    }
  }
}

/// False where this ends the command cleanly: the reader has gone, or a signal came.
bool Receiver::write_out() {
  const WriteList::Written written = list_.write_all(STDOUT_FILENO, interruption_);
  const bool whole = written.bytes == list_.size() && written.error == 0;
  if (whole) {
    for (MessageBatch& batch : held_) finish(batch);
  } else {
    settle(written.bytes);
  }
  held_.clear();
  held_count_ = 0;
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
      throw Failure{kClosed, "the queue was removed: " + received};
    default:
      throw Failure{kFailed, std::string("the segment is damaged (") + to_string(outcome) + "): " + received};
  }
}

int Receiver::run() {
  while (!options_.count || done_ < *options_.count) {
    if (interruption_.requested()) return kOk;
    MessageBatch batch = wait();
    if (reader_gone_) return kOk;
    if (!batch) return ended(batch.outcome());
    hold(std::move(batch));
    gather();
    if (!write_out()) return kOk;
  }
  return kOk;
}

}  // namespace

int recv_command(const Words& words) {
  const Arguments arguments(
      words, {{"-0"}, {"--whole"}, {"--count", "N"}, {"--until-closed"}, {"--idle", "SECONDS"}, {"--requeue"}, {"--reject"}});
  const Address address = parse_queue(arguments.only_word("SEG/Q"));
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
  const OpenQueue open = open_queue(address, "recv");
  return Receiver(open.queue, interruption, options).run();
}

}  // namespace shmq::cli
