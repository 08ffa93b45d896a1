#include "task_hand.hpp"

#include "party.hpp"

#include <algorithm>
#include <array>
#include <sstream>

namespace killtest {

using shmq::Outcome;
using shmq::TaskState;

namespace {
constexpr std::chrono::milliseconds longer_than_a_look{130};
}  // namespace

shmq::TaskTableOptions table_options(shmq::TaskPolicy policy) {
  return {.capacity = 4, .payload_bytes = 64, .result_bytes = 64, .policy = policy, .errors = 1, .names = 0, .keys = 4};
}

shmq::TaskOptions with_option(shmq::TaskOptions options, const std::string& word) {
  const std::size_t equals = word.find('=');
  const std::string name = word.substr(0, equals);
  const std::chrono::milliseconds ms(equals == std::string::npos ? 0 : std::stol(word.substr(equals + 1)));
  if (name == "forget") options.keep = false;
  if (name == "hold") options.hold = true;
  if (name == "delay") options.delay = ms;
  if (name == "expires") options.expires = ms;
  if (name == "keepfor") options.keep_for = ms;
  if (name == "backoff") options.backoff.first = ms;
  if (name == "limit") options.run_limit = ms, options.timeouts_max = shmq::kNoRunsMax;
  return options;
}

std::size_t result_bytes_of(std::uint64_t value) { return std::array<std::size_t, 3>{0, inline_bytes, block_bytes}[value % 3]; }

TaskHand::TaskHand(shmq::Segment& segment) : segment_(segment), table_(expect(segment.open_task_table("t"))) {}

shmq::Submitted TaskHand::submit(std::uint64_t value, std::size_t bytes, std::chrono::milliseconds limit,
                                 const shmq::TaskOptions& options) {
  std::array<std::byte, block_bytes> payload{};
  shmq::TaskOptions all = options;
  all.correlation = value;
  write_payload(std::span(payload).first(bytes), value);
  const std::span<const std::byte> filled = std::span(payload).first(bytes);
  return limit.count() == 0 ? table_.try_submit(filled, all) : table_.submit(filled, all, limit);
}

void TaskHand::start(std::uint32_t batch) {
  if (!worker) worker.emplace(table_.worker({.batch = batch}));
  shmq::Run run = worker->next(party_patience);
  require(run.outcome() == Outcome::ok, std::string("starting a task: ") + to_string(run.outcome()));
  runs.push_back(std::move(run));
}

Outcome TaskHand::done(shmq::Run& run, std::size_t bytes) {
  std::array<std::byte, block_bytes> result{};
  if (bytes != 0) write_payload(std::span(result).first(bytes), run.correlation());
  return run.done(std::span(result).first(bytes));
}

std::string TaskHand::complete(shmq::Run& run) {
  const std::string id = std::to_string(run.id());
  require(read_payload(run.payload()) == run.correlation(), "task " + id + " has the payload of another one");
  if (run.cancelled()) return id + "/cancel:" + to_string(run.cancel()) + " ";
  // A dead worker's block is there only once it was swept.
  const auto give_up = std::chrono::steady_clock::now() + party_patience / 2;
  Outcome outcome = done(run, result_bytes_of(run.correlation()));
  while (outcome == Outcome::no_block && std::chrono::steady_clock::now() < give_up) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    segment_.reap();
    outcome = done(run, result_bytes_of(run.correlation()));
  }
  return id + "/" + to_string(outcome) + " ";
}

std::size_t TaskHand::left(bool past) const {
  const auto counts = table_.counts();
  const auto in = [&](TaskState state) { return counts[static_cast<std::size_t>(state)]; };
  return in(TaskState::ready) + in(TaskState::claimed) + in(TaskState::delayed) + in(TaskState::held) + (past ? 0 : in(TaskState::running) + in(TaskState::alloc));
}

std::string TaskHand::work(bool past) {
  std::string answer;
  const auto give_up = std::chrono::steady_clock::now() + party_patience;
  shmq::TaskWorker hands = table_.worker({.batch = 2});
  while (left(past) != 0) {
    shmq::Run run = hands.next(std::chrono::milliseconds(5));
    if (run) answer += complete(run);
    table_.for_each([&](const shmq::TaskInfo& info) {
      if (info.state == TaskState::held) (void)table_.unhold(info.id);
    });
    if (std::chrono::steady_clock::now() < give_up) continue;
    std::string states;
    table_.for_each([&](const shmq::TaskInfo& info) {
      states += " " + std::to_string(info.id) + " " + shmq::to_string(info.state) + " " + std::to_string(info.owner);
    });
    throw Failure(FailureKind::wrong, "work that nobody can finish:" + states);
  }
  return answer;
}

std::string TaskHand::handle(std::string_view request) {
  std::istringstream words{std::string(request)};
  std::string verb, answer;
  words >> verb;
  std::uint64_t number = 0, count = 1, bytes = inline_bytes;
  if (verb == "submit") {
    shmq::TaskOptions options;
    words >> number;
    if (!(words >> count)) count = 1;
    if (!(words >> bytes)) bytes = inline_bytes;
    if (std::uint16_t limit = 0; words >> limit) options.failures_max = limit;
    if (std::uint16_t limit = 0; words >> limit) options.crashes_max = limit;
    for (std::string word; words >> word;) options = with_option(options, word);
    for (std::uint64_t i = 0; i < count; ++i) {
      const shmq::Submitted submitted = submit(number + i, bytes, party_patience, options);
      require(submitted.outcome == Outcome::ok, std::string("submitting: ") + to_string(submitted.outcome));
      answer += std::to_string(submitted.id) + " ";
    }
    return answer;
  }
  if (verb == "trysubmit") {
    words >> number;
    const shmq::Submitted submitted = submit(number, inline_bytes, std::chrono::milliseconds(0));
    return submitted ? std::to_string(submitted.id) : "";
  }
  if (verb == "key") {
    std::string key;
    words >> key >> number;
    const shmq::Submitted submitted = submit(number, inline_bytes, party_patience, {.key = key});
    if (!submitted) return to_string(submitted.outcome);
    return std::to_string(submitted.id) + (submitted.duplicate ? " 1" : " 0");
  }
  if (verb == "hoard") {
    words >> count;
    start(static_cast<std::uint32_t>(count));
    return "ok";
  }
  if (verb == "failrun") {
    start();
    const Outcome outcome = runs.back().fail();
    runs.clear();
    return to_string(outcome);
  }
  if (verb == "finish") {
    for (shmq::Run& run : runs) answer += complete(run);
    runs.clear();
    worker.reset();
    return answer;
  }
  if (verb == "work") {
    std::string past;
    words >> past;
    return work(past == "past");
  }
  if (verb == "idle") {
    shmq::TaskWorker hands = table_.worker();
    shmq::Run run = hands.next(longer_than_a_look);
    return run ? complete(run) : "";
  }
  if (verb == "clear") {
    std::vector<shmq::TaskId> ids;
    table_.for_each([&](const shmq::TaskInfo& info) {
      if (info.state >= TaskState::done) ids.push_back(info.id);
    });
    for (const shmq::TaskId id : ids)
      if (table_.remove(id) == Outcome::ok) answer += std::to_string(id) + " ";
    return answer;
  }
  if (verb == "said") return said;
  if (verb == "declare" || verb == "drop" || verb == "use") {
    std::string name;
    words >> name;
    if (verb == "drop") {
      const shmq::Status dropped = segment_.remove_task_table(name);
      return dropped ? "ok" : to_string(dropped.error().code());
    }
    shmq::Result<shmq::TaskTable> other = segment_.task_table(name, table_options(table_.policy()));
    if (verb == "declare" || !other) return other ? "ok" : other.error().message();
    const shmq::Submitted submitted = other->try_submit({});
    shmq::TaskWorker hands = other->worker();
    shmq::Run run = hands.try_next();
    require(submitted && run && run.id() == submitted.id && run.done() == Outcome::ok, "a new table does not work");
    return to_string(other->remove(submitted.id));
  }
  words >> number;
  if (verb == "fillblocks") {
    const std::array<std::byte, block_bytes> payload{};
    shmq::TaskTable other = expect(segment_.task_table("w", {.capacity = 8}));
    for (; number > 0; --number) require(other.try_submit(payload).outcome == Outcome::ok, "no block to take");
    return "ok";
  }
  if (verb == "emptyblocks") {
    const shmq::Status dropped = segment_.remove_task_table("w");
    return dropped ? "ok" : dropped.error().message();
  }
  if (verb == "cancel") return to_string(table_.cancel(number));
  if (verb == "remove") return to_string(table_.remove(number));
  if (verb == "kick") return to_string(table_.kick(number));
  if (verb == "result") {
    const auto result = table_.result(number);
    if (!result) return "none";
    return std::to_string(result->size()) + "/" + std::to_string(result->empty() ? 0 : read_payload(*result));
  }
  throw Failure(FailureKind::setup, "unknown request: t:" + std::string(request));
}

}  // namespace killtest
