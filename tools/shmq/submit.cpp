// submit: words, or lines of standard input, become tasks.
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>

#include "address.hpp"
#include "base/text.hpp"
#include "commands.hpp"
#include "failure.hpp"
#include "options.hpp"
#include "output.hpp"
#include "records.hpp"
#include "room_text.hpp"
#include "shmq/base/clock.hpp"
#include "signals.hpp"
#include "task_submission.hpp"
#include "tasks_in_order.hpp"

namespace shmq::cli {

namespace {

using namespace std::chrono_literals;

/// How long a wait for a result may keep new input waiting, and the other way round.
constexpr std::chrono::nanoseconds kSlice = 10ms;
/// Who waits longer than this for room is told why, once.
constexpr std::chrono::nanoseconds kUntold = 1s;

bool input_waits() {
  pollfd readable{STDIN_FILENO, POLLIN, 0};
  return ::poll(&readable, 1, 0) != 0;
}

class Submitter {
 public:
  Submitter(std::string address, const TaskTable& table, std::size_t payload_most, const Submission& submission, Framing framing,
            std::optional<std::int64_t> room_ns, const Interruption& interruption)
      : address_(std::move(address)),
        table_(table),
        payload_most_(payload_most),
        options_(submission.given()),
        framing_(framing),
        room_ns_(room_ns),
        interruption_(interruption) {}

  /// Results are printed instead of ids.
  void wait_for_results(bool keep) { results_.emplace(table_, interruption_, framing_, keep); }
  int submit_words(const std::vector<std::string>& words, std::size_t first);
  int submit_input();

 private:
  void submit(std::span<const std::byte> payload);
  Submitted submit_alone(std::span<const std::byte> payload);
  Submitted submit_beside_results(std::span<const std::byte> payload);
  void tell_of_no_room(Outcome why);
  void tell_ids();
  void pass_on(std::chrono::nanoseconds at_most);
  int finish();
  int stopped(const RecordReader& reader);
  [[noreturn]] void fail(Outcome outcome, std::size_t bytes);
  [[noreturn]] void too_large(std::uint64_t bytes, bool exact);
  std::string submitted_text() const;
  const char* record_name() const {
    return words_ ? "payload" : framing_ == Framing::line ? "line" : framing_ == Framing::nul ? "record" : "input";
  }

  const std::string address_;  // SEG/T
  TaskTable table_;
  const std::size_t payload_most_;
  const TaskOptions options_;
  const Framing framing_;
  const std::optional<std::int64_t> room_ns_;
  const Interruption& interruption_;
  bool words_ = false;
  bool all_submitted_ = false;
  bool told_of_no_room_ = false;
  std::optional<TasksInOrder> results_;
  std::string ids_;
  bool ids_wanted_ = true;
  std::uint64_t submitted_ = 0;
};

std::string Submitter::submitted_text() const {
  std::string text = std::to_string(submitted_) + (submitted_ == 1 ? " task was submitted" : " tasks were submitted");
  if (!all_submitted_ && (words_ || framing_ != Framing::whole))
    text += std::string("; ") + record_name() + " " + std::to_string(submitted_ + 1) + " is the first that was not";
  if (results_ && results_->left() != 0)
    text += "; " + results_->written_text() + ", the others stay in the table";
  return text;
}

void Submitter::too_large(std::uint64_t bytes, bool exact) {
  tell_ids();
  const std::string which = words_ || framing_ != Framing::whole ? " " + std::to_string(submitted_ + 1) : "";
  throw Failure{kFailed, record_name() + which + " has " + (exact ? "" : "at least ") + std::to_string(bytes) +
                             " bytes, and the largest payload that this table carries is " +
                             std::to_string(payload_most_) + " bytes; " + submitted_text() +
                             "; declare the table with a larger --payload, or create the segment with larger blocks "
                             "(shmq create --blocks NxSIZE)"};
}

void Submitter::fail(Outcome outcome, std::size_t bytes) {
  tell_ids();
  const std::string submitted = "; " + submitted_text();
  switch (outcome) {
    case Outcome::timeout:
      throw Failure{kFull, "there was no room within --room-timeout" + submitted +
                               "; run tasks (shmq work), remove those that are over (shmq task " + address_ +
                               " purge), or declare the table with a larger --capacity"};
    case Outcome::closed:
      throw Failure{kClosed, "the table drains and takes no more tasks" + submitted};
    case Outcome::removed:
      throw Failure{kClosed, "the table was removed" + submitted};
    case Outcome::too_large:
      too_large(bytes, true);
    case Outcome::stopped:
      throw Failure{kSignal + interruption_.signal(),
                    std::string("ended by ") + signal_name(interruption_.signal()) + submitted};
    default:
      throw Failure{kFailed, std::string("the segment is damaged (") + to_string(outcome) + ")" + submitted};
  }
}

void Submitter::tell_ids() {
  if (!ids_.empty() && ids_wanted_) ids_wanted_ = print(ids_);
  ids_.clear();
}

void Submitter::pass_on(std::chrono::nanoseconds at_most) {
  if (results_) results_->pass_on(at_most);
}

/// Ids that wait to be printed may be what somebody needs to make room.
void Submitter::tell_of_no_room(Outcome why) {
  if (told_of_no_room_) return;
  told_of_no_room_ = true;
  tell_ids();
  remark("submit " + address_ + ": " + no_room_text(table_, address_, why));
}

Submitted Submitter::submit_alone(std::span<const std::byte> payload) {
  const std::stop_token stop = interruption_.token();
  if (!told_of_no_room_ && (!room_ns_ || *room_ns_ > kUntold.count())) {
    const std::int64_t began_ns = base::monotonic_ns();
    Submitted submitted = table_.submit(payload, options_, Limit(stop, kUntold));
    if (submitted.outcome != Outcome::timeout) return submitted;
    submitted = table_.try_submit(payload, options_);
    if (submitted.outcome != Outcome::full && submitted.outcome != Outcome::no_block) return submitted;
    tell_of_no_room(submitted.outcome);
    if (!room_ns_) return table_.submit(payload, options_, Limit(stop));
    const std::int64_t left_ns = std::max<std::int64_t>(0, *room_ns_ - (base::monotonic_ns() - began_ns));
    return table_.submit(payload, options_, Limit(stop, std::chrono::nanoseconds(left_ns)));
  }
  return room_ns_ ? table_.submit(payload, options_, Limit(stop, std::chrono::nanoseconds(*room_ns_)))
                  : table_.submit(payload, options_, Limit(stop));
}

/// While the table is full, results are passed on: that makes room where all of it is ours.
Submitted Submitter::submit_beside_results(std::span<const std::byte> payload) {
  const std::int64_t began_ns = base::monotonic_ns();
  const std::int64_t until_ns = room_ns_ ? began_ns + *room_ns_ : INT64_MAX;
  for (;;) {
    const Submitted submitted = table_.try_submit(payload, options_);
    if (submitted.outcome != Outcome::full && submitted.outcome != Outcome::no_block) return submitted;
    if (interruption_.requested() || results_->reader_gone()) return {Outcome::stopped};
    const std::int64_t left_ns = until_ns - base::monotonic_ns();
    if (left_ns <= 0) return {Outcome::timeout};
    // While results are to come, they will make room.
    if (results_->left() == 0 && base::monotonic_ns() - began_ns >= kUntold.count()) tell_of_no_room(submitted.outcome);
    const auto slice = std::min(kSlice, std::chrono::nanoseconds(left_ns));
    if (results_->left() != 0) {
      results_->pass_on(slice);
    } else if (const Submitted waited = table_.submit(payload, options_, Limit(interruption_.token(), slice));
               waited.outcome != Outcome::timeout) {
      return waited;
    }
  }
}

void Submitter::submit(std::span<const std::byte> payload) {
  if (payload.size() > payload_most_) too_large(payload.size(), true);
  const Submitted submitted = results_ ? submit_beside_results(payload) : submit_alone(payload);
  if (submitted.outcome == Outcome::stopped && results_ && results_->reader_gone()) return;
  if (!submitted) fail(submitted.outcome, payload.size());
  ++submitted_;
  if (results_)
    results_->add(submitted.id);
  else
    ids_ += std::to_string(submitted.id) + "\n";
  if (ids_.size() >= (std::size_t{32} << 10)) tell_ids();
}

/// Every task is submitted; what is left are results.
int Submitter::finish() {
  all_submitted_ = true;
  tell_ids();
  if (!results_) return kOk;
  while (results_->left() != 0 && !results_->reader_gone()) {
    if (interruption_.requested()) fail(Outcome::stopped, 0);
    results_->pass_on(1s);
  }
  if (results_->reader_gone()) return kOk;
  if (results_->failed() == 0) return kOk;
  throw Failure{kFailed, std::to_string(results_->failed()) + " of " + std::to_string(submitted_) +
                             (submitted_ == 1 ? " task" : " tasks") + " did not get done"};
}

int Submitter::submit_words(const std::vector<std::string>& words, std::size_t first) {
  words_ = true;
  for (std::size_t i = first; i < words.size(); ++i) submit(std::as_bytes(std::span(words[i])));
  return finish();
}

/// Clean where nothing that was read is lost, nothing is known to remain, and nobody waits for a result.
int Submitter::stopped(const RecordReader& reader) {
  struct stat input {};
  const bool file = ::fstat(STDIN_FILENO, &input) == 0 && S_ISREG(input.st_mode);
  if (!file && reader.left() == 0 && (!results_ || results_->left() == 0)) return kOk;
  fail(Outcome::stopped, 0);
}

int Submitter::submit_input() {
  RecordReader reader(STDIN_FILENO, framing_, payload_most_, interruption_);
  for (;;) {
    // Whatever is there as a whole is submitted before the next read can wait.
    while (const std::optional<Record> record = reader.take()) submit(record->payload);
    tell_ids();
    pass_on(0ns);
    while (results_ && results_->left() != 0 && !input_waits() && !interruption_.requested() && !results_->reader_gone())
      pass_on(kSlice);
    if (results_ && results_->reader_gone()) return kOk;
    switch (reader.fill()) {
      case RecordReader::Filled::more:
        break;
      case RecordReader::Filled::end:
        return finish();
      case RecordReader::Filled::stopped:
        return stopped(reader);
      case RecordReader::Filled::too_large: {
        const RecordReader::Size size = reader.measure();
        too_large(size.bytes, size.exact);
      }
      case RecordReader::Filled::failed:
        throw Failure{kFailed, "cannot read standard input: " + base::errno_text(errno) + "; " + submitted_text()};
    }
  }
}

}  // namespace

int submit_command(const Words& words) {
  const Arguments arguments(words, {{"--name", "NAME"},
                                    {"--retries", "N"},
                                    {"--crashes", "N"},
                                    {"--timeouts", "N"},
                                    {"--correlation", "N"},
                                    {"--forget"},
                                    {"--priority", "0-255"},
                                    {"--hold"},
                                    {"--key", "KEY"},
                                    {"--key-until", "done|started|SECONDS"},
                                    {"--delay", "SECONDS"},
                                    {"--deadline", "SECONDS"},
                                    {"--overdue", "run|expire"},
                                    {"--expires", "SECONDS"},
                                    {"--timeout", "SECONDS"},
                                    {"--backoff", "FIRST[:MOST]"},
                                    {"--jitter", "PERCENT"},
                                    {"--keep-for", "SECONDS"},
                                    {"-0"},
                                    {"--whole"},
                                    {"--room-timeout", "SECONDS"},
                                    {"--wait"},
                                    {"--keep"}});
  if (arguments.words().empty()) throw UsageError{"needs SEG/T"};
  const Address address = parse_table(arguments.words()[0]);
  const bool given = arguments.words().size() > 1;
  if (arguments.has("-0") && arguments.has("--whole")) throw UsageError{"-0 and --whole exclude one another"};
  if (given && arguments.has("--whole")) throw UsageError{"--whole is about standard input, which is not read where PAYLOADs are given"};
  if (arguments.has("--forget") && arguments.has("--wait"))
    throw UsageError{"--forget and --wait exclude one another: a task that is forgotten leaves no result"};
  if (arguments.has("--keep") && !arguments.has("--wait"))
    throw UsageError{"--keep belongs to --wait; without it tasks are kept unless --forget is given"};
  const Framing framing = arguments.has("--whole") ? Framing::whole : arguments.has("-0") ? Framing::nul : Framing::line;
  const Submission submission = submission_of(arguments);
  const auto room_ns = arguments.seconds_ns("--room-timeout");
  const Interruption interruption;
  const OpenTable open = open_table(address, "submit");
  if (!submission.key.empty() && open.table.keys() == 0)
    throw Failure{kFailed, "the table has no room for keys; declare it with shmq table --keys N"};
  Submitter submitter(arguments.words()[0], open.table, payload_most(address.segment, address.queue), submission, framing, room_ns, interruption);
  if (arguments.has("--wait")) submitter.wait_for_results(arguments.has("--keep"));
  return given ? submitter.submit_words(arguments.words(), 1) : submitter.submit_input();
}

}  // namespace shmq::cli
