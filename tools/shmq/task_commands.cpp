// task: what is in a table, and what can be done to it.
#include <algorithm>
#include <chrono>
#include <functional>

#include "address.hpp"
#include "commands.hpp"
#include "failure.hpp"
#include "options.hpp"
#include "output.hpp"
#include "shmq/base/clock.hpp"
#include "shmq/inspect.hpp"
#include "signals.hpp"
#include "task_text.hpp"

namespace shmq::cli {

namespace {

/// What a verb was given.
struct Request {
  std::string address;  // SEG/T
  Address place;
  OpenTable open;
  const Arguments& arguments;
  std::vector<TaskId> ids;
  std::uint8_t priority = 0;  // of reprioritise
};

bool is_over(TaskState state) {
  return state == TaskState::done || state == TaskState::dead || state == TaskState::cancelled || state == TaskState::expired;
}

std::string tasks_text(std::uint64_t count) { return std::to_string(count) + (count == 1 ? " task " : " tasks "); }

std::optional<std::string> text_of(const std::optional<std::vector<std::byte>>& bytes) {
  if (!bytes) return std::nullopt;
  return std::string(reinterpret_cast<const char*>(bytes->data()), bytes->size());
}

/// Which tasks --state and --name ask for.
std::function<bool(const TaskInfo&)> filter_of(const Arguments& arguments, std::vector<TaskState> states) {
  if (arguments.has("--state")) states.clear();
  for (const std::string& text : arguments.all("--state")) states.push_back(parse_state(text));
  return [states, name = arguments.get("--name")](const TaskInfo& info) {
    if (!states.empty() && std::find(states.begin(), states.end(), info.state) == states.end()) return false;
    return !name || info.name == *name;
  };
}

std::string document_begin(const Request& request) {
  return R"({"schema":"shmq-task","version":1,"table":")" + request.address + R"(","tasks":[)";
}

int list(const Request& request) {
  constexpr std::size_t kGather = std::size_t{64} << 10;
  const auto wanted = filter_of(request.arguments, {});
  const bool json = request.arguments.has("--json");
  std::uint64_t left = request.arguments.number("--max", UINT64_MAX, 1, UINT64_MAX);
  const People people(request.place.segment);
  std::string text = json ? document_begin(request) : "";
  bool first = true, read = true;
  request.open.table.for_each([&](const TaskInfo& info) {
    if (!read || left == 0 || !wanted(info)) return;
    --left;
    if (json) {
      stat::Json object;
      object.open('{');
      put_task(object, info, people, nullptr);
      text += (first ? "\n" : ",\n") + object.close('}').text();
    } else {
      text += task_line(info, people);
    }
    first = false;
    if (text.size() < kGather) return;
    read = print(text);
    text.clear();
  });
  if (json) text += first ? "]}\n" : "\n]}\n";
  if (read) print(text);
  return kOk;
}

Failure no_task(TaskId id) {
  return {kNotFound, "there is no task " + std::to_string(id) + " (any more); shmq task ... list shows those that are there"};
}

int show(const Request& request) {
  const bool json = request.arguments.has("--json");
  const People people(request.place.segment);
  std::string text = json ? document_begin(request) : "";
  bool first = true;
  for (const TaskId id : request.ids) {
    const std::optional<TaskInfo> info = request.open.table.info(id);
    if (!info) throw no_task(id);
    const TaskContents contents{text_of(request.open.table.payload(id)), text_of(request.open.table.result(id))};
    if (json) {
      stat::Json object;
      object.open('{');
      put_task(object, *info, people, &contents);
      text += (first ? "\n" : ",\n") + object.close('}').text();
    } else {
      text += task_picture(*info, people, contents);
    }
    first = false;
  }
  print(json ? text + "\n]}\n" : text);
  return kOk;
}

/// Does it to each of the ids, and says which did not take it; the status of the first of those.
int each(Request& request, const std::function<Outcome(TaskId)>& act,
         const std::function<std::string(const TaskInfo&, Outcome)>& why) {
  int status = kOk;
  for (const TaskId id : request.ids) {
    const Outcome outcome = act(id);
    if (outcome == Outcome::ok) continue;
    if (outcome == Outcome::removed) throw Failure{kClosed, "the table was removed"};
    if (outcome == Outcome::corrupt) throw Failure{kFailed, "the segment is damaged (corrupt)"};
    const std::optional<TaskInfo> info = request.open.table.info(id);
    const Failure failure = info ? Failure{kFailed, "task " + std::to_string(id) + " " + why(*info, outcome)} : no_task(id);
    remark("task " + request.address + ": " + failure.message);
    if (status == kOk) status = failure.status;
  }
  return status;
}

std::string is_text(const TaskInfo& info) { return std::string("is ") + to_string(info.state); }

int cancel(Request& request) {
  return each(request, [&](TaskId id) { return request.open.table.cancel(id); },
              [](const TaskInfo& info, Outcome) { return is_text(info) + ": it is over already"; });
}

int remove(Request& request) {
  return each(request, [&](TaskId id) { return request.open.table.remove(id); },
              [](const TaskInfo& info, Outcome) {
                return is_text(info) + ", in a worker's hands: cancel it first, and delete it when it is over";
              });
}

int kick(Request& request) {
  const bool all = request.arguments.has("--all"), named = request.arguments.has("--name");
  if (int(all) + int(named) + int(!request.ids.empty()) != 1)
    throw UsageError{"kick takes ID..., --name NAME or --all, one of them"};
  if (!request.ids.empty())
    return each(request, [&](TaskId id) { return request.open.table.kick(id); },
                [](const TaskInfo& info, Outcome) { return is_text(info) + ": only a dead task can be kicked"; });
  const auto wanted = filter_of(request.arguments, {TaskState::dead});
  std::uint64_t count = 0;
  request.open.table.for_each([&](const TaskInfo& info) {
    if (wanted(info)) count += request.open.table.kick(info.id) == Outcome::ok;
  });
  print(tasks_text(count) + "kicked\n");
  return kOk;
}

int hold(Request& request) {
  return each(request, [&](TaskId id) { return request.open.table.hold(id); },
              [](const TaskInfo& info, Outcome) { return is_text(info) + ": only a task that waits can be held"; });
}

int unhold(Request& request) {
  return each(request, [&](TaskId id) { return request.open.table.unhold(id); },
              [](const TaskInfo& info, Outcome) { return is_text(info) + ", not held"; });
}

int reprioritise(Request& request) {
  return each(request, [&](TaskId id) { return request.open.table.reprioritise(id, request.priority); },
              [](const TaskInfo& info, Outcome) { return is_text(info) + ": only a task that waits can be given another priority"; });
}

int purge(Request& request) {
  const auto wanted = filter_of(request.arguments, {TaskState::done, TaskState::cancelled, TaskState::expired});
  for (const std::string& text : request.arguments.all("--state"))
    if (!is_over(parse_state(text)))
      throw UsageError{"--state " + text + ": purge removes tasks that are over: done, dead, cancelled, expired"};
  std::uint64_t count = 0;
  request.open.table.for_each([&](const TaskInfo& info) {
    if (wanted(info)) count += request.open.table.remove(info.id) == Outcome::ok;
  });
  print(tasks_text(count) + "purged\n");
  return kOk;
}

class Waiting {
 public:
  explicit Waiting(Request& request) : request_(request), table_(request.open.table) {
    if (const auto timeout = request.arguments.seconds_ns("--timeout")) until_ns_ = base::monotonic_ns() + *timeout;
  }
  int run() { return request_.arguments.has("--any") ? any() : all(); }

 private:
  /// Until it says ok or empty; ends the command where that does not come.
  void wait_for(const std::function<Outcome(const Limit&)>& wait) {
    const std::int64_t left_ns = std::max<std::int64_t>(0, until_ns_ - base::monotonic_ns());
    const Outcome outcome = wait(Limit(interruption_.token(), std::chrono::nanoseconds(left_ns)));
    if (outcome == Outcome::removed) throw Failure{kClosed, "the table was removed"};
    if (outcome == Outcome::ok || outcome == Outcome::empty) return;
    if (interruption_.requested())
      throw Failure{kSignal + interruption_.signal(),
                    std::string("ended by ") + signal_name(interruption_.signal()) + " before what was waited for was over"};
    if (outcome != Outcome::timeout) throw Failure{kFailed, std::string("the segment is damaged (") + to_string(outcome) + ")"};
    throw Failure{kFull, "what was waited for was not over within --timeout"};
  }
  /// Says how it ended, or what it came to; the exit status that follows.
  int tell(TaskId id) {
    const auto info = table_.info(id);
    if (!info) throw no_task(id);
    const bool done = info->state == TaskState::done;
    if (!request_.arguments.has("--results")) {
      print(std::to_string(id) + "\t" + to_string(info->state) + "\n");
    } else {
      print(text_of(table_.result(id)).value_or("") + "\n");
      if (!done) remark("task " + request_.address + ": task " + std::to_string(id) + " is " + fate_text(*info));
    }
    return done ? kOk : kFailed;
  }
  int all() {
    int status = kOk;
    for (const TaskId id : request_.ids) {
      wait_for([&](const Limit& limit) { return table_.wait(id, limit); });
      status = std::max(status, tell(id));
    }
    return status;
  }
  int any() {
    std::size_t which = 0;
    wait_for([&](const Limit& limit) { return table_.wait_any(request_.ids, which, limit); });
    return tell(request_.ids.at(which));
  }

  Request& request_;
  TaskTable table_;
  Interruption interruption_;
  std::int64_t until_ns_ = INT64_MAX;
};

int wait(Request& request) { return Waiting(request).run(); }

int pause(Request& request) { return request.open.table.pause(), kOk; }
int resume(Request& request) {
  request.open.table.resume();
  const SegmentSnapshot snapshot = need(inspect_segment(request.place.segment, {.slots = false}));
  for (const ObjectSnapshot& object : snapshot.objects)
    if (object.tasks && object.name == request.place.queue && object.tasks->draining)
      remark("task " + request.address + ": what is in the table is started again; it drains, and stays closed to new tasks");
  return kOk;
}
int drain(Request& request) { return request.open.table.drain(), kOk; }

struct Verb {
  const char* name;
  enum class Ids { none, some, perhaps } ids;
  std::vector<std::string_view> options;
  int (*run)(Request& request);
};

const Verb& verb_of(const std::string& name) {
  static const Verb kVerbs[] = {
      {"list", Verb::Ids::none, {"--state", "--name", "--max", "--json"}, [](Request& r) { return list(r); }},
      {"show", Verb::Ids::some, {"--json"}, [](Request& r) { return show(r); }},
      {"cancel", Verb::Ids::some, {}, cancel},
      {"kick", Verb::Ids::perhaps, {"--name", "--all"}, kick},
      {"delete", Verb::Ids::some, {}, remove},
      {"reprioritise", Verb::Ids::some, {}, reprioritise},
      {"hold", Verb::Ids::some, {}, hold},
      {"unhold", Verb::Ids::some, {}, unhold},
      {"wait", Verb::Ids::some, {"--any", "--timeout", "--results"}, wait},
      {"pause", Verb::Ids::none, {}, pause},
      {"resume", Verb::Ids::none, {}, resume},
      {"drain", Verb::Ids::none, {}, drain},
      {"purge", Verb::Ids::none, {"--state", "--name"}, purge},
  };
  std::string known;
  for (const Verb& verb : kVerbs) {
    if (name == verb.name) return verb;
    known += (known.empty() ? "" : ", ") + std::string(verb.name);
  }
  throw UsageError{"there is no \"" + name + "\"; use " + known};
}

}  // namespace

int task_command(const Words& words) {
  const std::initializer_list<OptionSpec> known = {{"--state", "STATE"}, {"--name", "NAME"},       {"--max", "N"},
                                                   {"--json"},           {"--all"},                {"--any"},
                                                   {"--results"},        {"--timeout", "SECONDS"}};
  const Arguments arguments(words, known);
  const std::vector<std::string>& given = arguments.words();
  if (given.empty()) throw UsageError{"needs SEG/T"};
  const Address address = parse_table(given[0]);
  if (given.size() < 2) throw UsageError{"needs to be told what: list, show, cancel, kick, delete, reprioritise, hold, unhold, wait, pause, resume, drain or purge"};
  const Verb& verb = verb_of(given[1]);
  for (const OptionSpec& option : known)
    if (arguments.has(option.name) && std::find(verb.options.begin(), verb.options.end(), option.name) == verb.options.end())
      throw UsageError{std::string(option.name) + " means nothing to " + verb.name};
  if (verb.ids == Verb::Ids::none && given.size() > 2)
    throw UsageError{std::string(verb.name) + " takes no ID; \"" + given[2] + "\" is one too many"};
  if (verb.ids == Verb::Ids::some && given.size() < 3) throw UsageError{std::string(verb.name) + " needs an ID"};
  const bool ranks = verb.name == std::string("reprioritise");
  if (ranks && given.size() < 4) throw UsageError{"reprioritise needs an ID and a priority: reprioritise ID... 0-255"};
  std::vector<TaskId> ids;
  for (std::size_t i = 2; i + ranks < given.size(); ++i) ids.push_back(parse_task_id(given[i]));
  const std::uint8_t priority = ranks ? parse_priority(given.back()) : std::uint8_t{0};
  Request request{given[0], address, open_table(address, "task"), arguments, std::move(ids), priority};
  return verb.run(request);
}

}  // namespace shmq::cli
