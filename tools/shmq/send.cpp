// send: standard input becomes messages.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "address.hpp"
#include "base/text.hpp"
#include "commands.hpp"
#include "failure.hpp"
#include "options.hpp"
#include "records.hpp"
#include "signals.hpp"

namespace shmq::cli {

namespace {

class Sender {
 public:
  Sender(const Queue<void>& queue, const Interruption& interruption, Framing framing, std::uint32_t type,
         std::optional<std::int64_t> timeout_ns)
      : producer_(need(queue.open_producer())),
        kind_(queue.kind()),
        interruption_(interruption),
        reader_(STDIN_FILENO, framing, producer_.max_payload(), interruption),
        framing_(framing),
        type_(type),
        timeout_ns_(timeout_ns) {}

  int run();

 private:
  Limit limit() const {
    if (!timeout_ns_) return Limit(interruption_.token());
    return Limit(interruption_.token(), std::chrono::nanoseconds(*timeout_ns_));
  }
  void send_batch(std::size_t count);
  void send_one(const Record& record);
  int stopped();
  [[noreturn]] void fail(Outcome outcome, std::size_t bytes);
  [[noreturn]] void too_large(RecordReader::Size size);
  std::string sent_text() const;
  const char* record_name() const {
    return framing_ == Framing::line ? "line" : framing_ == Framing::nul ? "record" : "input";
  }

  Producer<void> producer_;
  QueueKind kind_;
  const Interruption& interruption_;
  RecordReader reader_;
  Framing framing_;
  std::uint32_t type_;
  std::optional<std::int64_t> timeout_ns_;
  std::array<Record, Producer<void>::kBatchMax> batch_;
  std::uint64_t sent_ = 0;
};

std::string Sender::sent_text() const {
  std::string text = std::to_string(sent_) + (sent_ == 1 ? " message was sent" : " messages were sent");
  if (framing_ != Framing::whole)
    text +=
        std::string("; ") + record_name() + " " + std::to_string(sent_ + 1) + " is the first that was not";
  return text;
}

void Sender::too_large(RecordReader::Size size) {
  std::string what = record_name();
  if (framing_ != Framing::whole) what += " " + std::to_string(sent_ + 1);
  const bool spsc = kind_ == QueueKind::spsc;
  const char* const mend =
      spsc ? "; declare the queue with a larger ring, of which a message takes half at most (shmq queue --kind spsc --ring BYTES)"
           : "; create the segment with larger blocks (shmq create --blocks NxSIZE)";
  throw Failure{kFailed, what + " has " + (size.exact ? "" : "at least ") + std::to_string(size.bytes) +
                             " bytes, and the largest payload that this " + (spsc ? "queue" : "segment") +
                             " carries is " + std::to_string(producer_.max_payload()) + " bytes; " + sent_text() + mend};
}

void Sender::fail(Outcome outcome, std::size_t bytes) {
  const std::string sent = "; " + sent_text();
  switch (outcome) {
    case Outcome::full:
      throw Failure{kFull,
                    "the queue is full" + sent +
                        "; receive from it, or declare it with --on-full block or a larger " +
                        (kind_ == QueueKind::spsc ? "--ring" : "--capacity")};
    case Outcome::timeout:
      throw Failure{kFull, "there was no room within --timeout" + sent};
    case Outcome::no_block:
      throw Failure{kFull,
                    "no block of " + base::size_text(bytes) + " is free" + sent +
                        "; receive, or create the segment with more blocks (shmq create --blocks NxSIZE)"};
    case Outcome::closed:
      throw Failure{kClosed, "the queue is closed" + sent};
    case Outcome::removed:
      throw Failure{kClosed, "the queue was removed" + sent};
    case Outcome::stopped:
      throw Failure{kSignal + interruption_.signal(),
                    std::string("ended by ") + signal_name(interruption_.signal()) + sent};
    default:
      throw Failure{kFailed, std::string("the segment is damaged (") + to_string(outcome) + ")" + sent};
  }
}

/// Small ones share a claim, and their consumers a wake-up.
void Sender::send_batch(std::size_t count) {
  for (std::size_t done = 0; done < count;) {
    // No more room than the largest needs: in a byte ring unused room is room that others miss.
    std::size_t bytes = 0;
    for (std::size_t i = done; i < count; ++i) bytes = std::max(bytes, batch_[i].payload.size());
    ClaimBatch claim = producer_.claim_batch(count - done, bytes, limit());
    if (!claim) fail(claim.outcome(), 0);
    const std::size_t room = claim.size();
    for (std::size_t i = 0; i < room; ++i) {
      const std::span<const std::byte> payload = batch_[done + i].payload;
      if (!payload.empty()) std::memcpy(claim[i].data(), payload.data(), payload.size());
      claim.set(i, payload.size(), type_);
    }
    claim.publish();
    done += room;
    sent_ += room;
  }
}

void Sender::send_one(const Record& record) {
  const Outcome outcome = producer_.send(record.payload, limit(), type_);
  if (outcome == Outcome::too_large) too_large({record.payload.size(), true});
  if (outcome != Outcome::ok) fail(outcome, record.payload.size());
  ++sent_;
}

/// Clean where nothing that was read is lost, and nothing is known to remain.
int Sender::stopped() {
  struct stat input {};
  const bool file = ::fstat(STDIN_FILENO, &input) == 0 && S_ISREG(input.st_mode);
  if (!file && reader_.left() == 0) return kOk;
  fail(Outcome::stopped, 0);
}

int Sender::run() {
  for (;;) {
    // Whatever is there as a whole is sent before the next read can wait.
    std::size_t gathered = 0;
    while (const std::optional<Record> record = reader_.take()) {
      if (record->payload.size() <= producer_.max_inline()) {
        batch_[gathered++] = *record;
        if (gathered < batch_.size()) continue;
      }
      send_batch(gathered);
      gathered = 0;
      if (record->payload.size() > producer_.max_inline()) send_one(*record);
    }
    send_batch(gathered);
    switch (reader_.fill()) {
      case RecordReader::Filled::more:
        break;
      case RecordReader::Filled::end:
        return kOk;
      case RecordReader::Filled::stopped:
        return stopped();
      case RecordReader::Filled::too_large:
        too_large(reader_.measure());
      case RecordReader::Filled::failed:
        throw Failure{kFailed, "cannot read standard input: " + base::errno_text(errno) + "; " + sent_text()};
    }
  }
}

}  // namespace

int send_command(const Words& words) {
  const Arguments arguments(words, {{"-0"}, {"--whole"}, {"--type", "N"}, {"--timeout", "SECONDS"}});
  const Address address = parse_queue(arguments.only_word("SEG/Q"));
  if (arguments.has("-0") && arguments.has("--whole")) throw UsageError{"-0 and --whole exclude one another"};
  const Framing framing = arguments.has("--whole") ? Framing::whole
                          : arguments.has("-0")    ? Framing::nul
                                                   : Framing::line;
  const auto type = static_cast<std::uint32_t>(arguments.number("--type", 0, 0, UINT32_MAX));
  const auto timeout_ns = arguments.seconds_ns("--timeout");
  const Interruption interruption;
  const OpenQueue open = open_queue(address, "send");
  return Sender(open.queue, interruption, framing, type, timeout_ns).run();
}

}  // namespace shmq::cli
