#include "task_operation.hpp"

#include "audit.hpp"
#include "look.hpp"
#include "operation.hpp"

#include "objects/task_object.hpp"
#include "shmq/core/segment_view.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace killtest {

namespace core = shmq::core;
namespace layout = shmq::layout;
using layout::TaskState;
using shmq::TaskId;

namespace {

constexpr std::size_t kCapacity = 4;
constexpr std::uint32_t kBlocks = 6;

/// Answers what it sees, and is no participant.
class Looker : public Actor {
 public:
  explicit Looker(const std::string& segment) : look_(segment) {}
  std::string handle(std::string_view request) override {
    std::ostringstream out;
    if (request == "rows") {
      for (std::uint32_t i = 0; i < look_.view().geometry().rows; ++i)
        if (layout::word_state(look_.view().row(i).word.load()) != 0) out << i + 1 << ' ';
      return out.str();
    }
    const core::TaskTableParts parts = table();
    for (std::uint32_t i = 0; i < parts.capacity; ++i) {
      const layout::TaskRecord& record = parts.record(i);
      const layout::TaskBody& body = parts.body(i);
      const std::uint64_t word = parts.words.look(i);
      const bool owned = layout::is_owned(layout::task_state(word));
      const std::uint64_t tally = record.tally.load();
      layout::Tally ended = layout::tally_of(tally);
      if (!owned && layout::task_end(word) != layout::RunEnd::none &&
          layout::tally_tag(tally) != (layout::word_epoch(word) & layout::kTallyTagMask))
        ended = core::ShmTaskWords::with(ended, layout::task_end(word));
      out << static_cast<int>(layout::task_state(word)) << ' ' << (owned ? layout::owner_of(word) : 0) << ' '
          << record.id.load() << ' ' << body.correlation.load() << ' ' << ended.failures << ' ' << ended.crashes << ' '
          << ended.timeouts << ' ' << ended.releases << ' ' << body.crashes_max.load() << ' '
          << (body.cancel.load() == record.id.load()) << ' ' << has(record, body.expires_ns) << ' '
          << has(record, body.run_limit_ns) << ' ' << has(record, body.keep_for_ns) << '\n';
    }
    return out.str();
  }

 private:
  static bool has(const layout::TaskRecord& record, const layout::Word& time) {
    return (record.flags.load() & layout::kTaskTimed) != 0 && time.load() != 0;
  }
  core::TaskTableParts table() const {
    for (std::uint32_t i = 0; i < look_.view().geometry().objects_max; ++i) {
      core::ObjectSpace space;
      core::TaskTableParts parts;
      if (look_.view().entry(i).name.get() == "t" && core::space_of(look_.view(), i, space) &&
          shmq::objects::table_of(look_.view(), space, parts))
        return parts;
    }
    throw Failure(FailureKind::wrong, "the table is not there");
  }
  Look look_;
};

std::string ask_outside(const TaskCrew& crew, const std::string& question) {
  return crew.world.spawn("looker", [&] { return std::make_unique<Looker>(crew.segment); }).ask(question);
}

template <class T>
std::set<T> numbers(const std::string& text) {
  std::istringstream words(text);
  std::set<T> found;
  for (T number = 0; words >> number;) found.insert(number);
  return found;
}

std::string text_of(const layout::Tally& t) {
  return std::to_string(t.failures) + " failures, " + std::to_string(t.crashes) + " crashes, " +
         std::to_string(t.timeouts) + " timeouts, " + std::to_string(t.releases) + " releases";
}

bool is_there(const TaskLook& seen) { return seen.state != TaskState::free && seen.state != TaskState::alloc; }

/// What has to come of a task once the survivors have worked.
TaskLook to_become(const TaskCrew& crew, const TaskLook& seen) {
  TaskLook become = seen;
  become.owner = 0;
  if (seen.state >= TaskState::done) return become;
  const bool crashed = seen.state == TaskState::running && !crew.survivors.contains(seen.owner);
  become.ended.crashes += crashed;
  become.state = crashed && become.ended.crashes > seen.crashes_max ? TaskState::dead
                 : seen.expires && seen.state != TaskState::running ? TaskState::expired
                 : seen.cancelled                                   ? TaskState::cancelled
                                                                    : TaskState::done;
  return become;
}

/// All records can be had, once each, with ids that were never there.
void fill_and_empty(TaskCrew& crew) {
  const std::set<TaskId> known = crew.submitted;
  const std::vector<TaskId> ids = crew.submit(600, kCapacity);
  for (const TaskId id : ids) require(!known.contains(id) && !crew.removed.contains(id), "an id was used again");
  require(std::set(ids.begin(), ids.end()).size() == kCapacity, "an id was given out twice");
  require(crew.other.ask("t:trysubmit 999").empty(), "more tasks than records");
  crew.work(false);
  for (const TaskId id : ids) require(crew.completed[id] == 1, "a task of a table that was filled again was lost");
  crew.clear();
  for (const TaskLook& seen : crew.look()) require(seen.state == TaskState::free, "a record that is not free at the end");
}

}  // namespace

std::vector<TaskLook> TaskCrew::look() const {
  std::istringstream words(ask_outside(*this, "look"));
  std::vector<TaskLook> all;
  int state = 0;
  for (TaskLook l; words >> state >> l.owner >> l.id >> l.value >> l.ended.failures >> l.ended.crashes >>
                   l.ended.timeouts >> l.ended.releases >> l.crashes_max >> l.cancelled >>
                   l.expires >> l.lapses >> l.fades;
       all.push_back(l))
    l.state = static_cast<TaskState>(state);
  require(all.size() == kCapacity, "not all records were seen");
  return all;
}

std::vector<TaskId> TaskCrew::submit(std::uint64_t first, std::uint64_t count, std::size_t bytes, const std::string& limits) {
  std::istringstream words(one.ask("t:submit " + std::to_string(first) + " " + std::to_string(count) + " " +
                                   std::to_string(bytes) + " " + limits));
  std::vector<TaskId> ids;
  for (TaskId id = 0; words >> id;) ids.push_back(id);
  submitted.insert(ids.begin(), ids.end());
  return ids;
}

void TaskCrew::note(const std::string& reports) {
  std::istringstream words(reports);
  for (std::string report; words >> report;) {
    const std::size_t slash = report.find('/');
    const std::string outcome = report.substr(slash + 1);
    if (lapses && outcome == "stale") continue;
    require(outcome == "ok" || outcome == "cancel:ok", "a survivor ended a run, and was told: " + report);
    ++completed[std::stoull(report)];
  }
}

void TaskCrew::work(bool past) {
  const std::string request = past ? "t:work past" : "t:work";
  if (!past && hoards) note(one.ask("t:finish")), hoards = false;
  one.post(request), other.post(request);
  note(one.await()), note(other.await());
}

void TaskCrew::clear() {
  for (const TaskId id : numbers<TaskId>(one.ask("t:clear"))) removed.insert(id);
}

void create_task_segment(const std::string& name, std::uint32_t participants_max, shmq::TaskPolicy policy) {
  shmq::SegmentOptions options;
  options.size_bytes = 96 << 10;
  options.blocks = {{256, kBlocks}};
  options.participants_max = participants_max;
  options.objects_max = 4;
  shmq::Segment segment = expect(shmq::Segment::create(name, options));
  expect(segment.task_table("t", table_options(policy)));
}

void finish_tasks(TaskCrew& crew, const TaskDeed& deed) {
  const std::vector<TaskLook> before = crew.look();
  std::set<TaskId> there;
  std::size_t untold = 0;
  for (const TaskLook& seen : before) {
    if (!is_there(seen)) continue;
    require(!crew.removed.contains(seen.id), "a task that was removed is there again");
    there.insert(seen.id);
    untold += !crew.submitted.contains(seen.id);
    crew.submitted.insert(seen.id);
  }
  require(untold <= deed.submits, "there are tasks that nobody submitted");
  if (!deed.removes)
    for (const TaskId id : crew.submitted)
      require(there.contains(id) || crew.removed.contains(id), "task " + std::to_string(id) + " was submitted, and is lost");

  crew.work(false);
  const std::vector<TaskLook> after = crew.look();
  for (std::size_t i = 0; i < kCapacity; ++i) {
    const std::string task = "task " + std::to_string(before[i].id) + ", which was " + shmq::to_string(before[i].state) + ", ";
    if (!is_there(before[i])) {
      require(after[i].state == TaskState::free, "record " + std::to_string(i) + " was " + shmq::to_string(before[i].state) +
                                                     ", and came to " + shmq::to_string(after[i].state));
      continue;
    }
    TaskLook become = to_become(crew, before[i]);
    // Whoever was fast enough has run it.
    if (become.state == TaskState::expired && after[i].state == TaskState::done) become.state = TaskState::done;
    if (deed.forgets && become.state == TaskState::done) {
      require(after[i].state == TaskState::free, task + "is kept, though nobody wanted that");
      require(crew.completed[become.id] == 1, task + "was completed " + std::to_string(crew.completed[become.id]) + " times");
      continue;
    }
    if (before[i].fades && after[i].state == TaskState::free) {
      require(become.state == TaskState::done, task + "was not done, and is gone");
      continue;
    }
    require(after[i].id == become.id, task + "is another one now");
    require(after[i].state == become.state, task + "came to " + shmq::to_string(after[i].state));
    const bool lapsed = before[i].lapses && after[i].ended.timeouts >= become.ended.timeouts;
    require(text_of(after[i].ended) == text_of(become.ended) || lapsed,
            task + "has " + text_of(after[i].ended) + ", not " + text_of(become.ended));
    const bool by_victim = deed.result_bytes && before[i].state == TaskState::done && crew.completed[become.id] == 0;
    const bool over = become.state == TaskState::done ||
                      (become.state == TaskState::cancelled && before[i].state == TaskState::running);
    if (over) require(crew.completed[become.id] + by_victim == 1, task + "was completed " +
                          std::to_string(crew.completed[become.id] + by_victim) + " times");
    if (become.state != TaskState::done) continue;
    const std::size_t bytes = by_victim ? *deed.result_bytes : result_bytes_of(become.value);
    const std::string result = crew.other.ask("t:result " + std::to_string(become.id));
    const std::uint64_t value = by_victim ? deed.result_value.value_or(become.value) : become.value;
    require(result == std::to_string(bytes) + "/" + std::to_string(bytes == 0 ? 0 : value), task + "has the result " + result);
  }
  crew.clear();
  for (const TaskLook& seen : crew.look()) require(seen.state == TaskState::free, std::string("after all were removed, one is ") + shmq::to_string(seen.state));
  fill_and_empty(crew);
  deed.at_last(crew);
  crew.one.ask("reap"), crew.other.ask("reap");
  require(crew.one.ask("reap") == "0", "a second reap found something to repair");
  crew.world.run("auditor", [&] { audit(crew.segment, 2); });
}

namespace {

class TaskVictim : public Party {
 public:
  TaskVictim(const std::string& segment, const TaskDeed& deed) : Party(segment), deed_(deed) {
    tasks();
    deed_.before(*this);
  }
  void operate() override { deed_.act(*this); }

 private:
  const TaskDeed& deed_;  // of the driver, copied by the fork
};

class TaskOperation : public Scenario {
 public:
  explicit TaskOperation(const TaskDeed& deed) : deed_(deed) {}

  void setup(World& world) override {
    const std::string name = world.name();
    world.run("creator", [&] { create_task_segment(name, 6, deed_.policy); });
    const auto party = [name] {
      auto made = std::make_unique<Party>(name);
      made->tasks();
      return made;
    };
    Process& one = world.spawn("one", party);
    Process& other = world.spawn("other", party);
    crew_.emplace(TaskCrew{world, name, one, other});
    crew_->lapses = deed_.lapses;
    crew_->survivors = numbers<std::uint32_t>(ask_outside(*crew_, "rows"));
    deed_.setting(*crew_);
  }
  ActorFactory victim() override {
    return [name = crew_->segment, &deed = deed_] { return std::make_unique<TaskVictim>(name, deed); };
  }

  void check(World&, const Instant& instant) override {
    if (instant.fate == Fate::stopped) return go_on_past_it();
    if (instant.fate == Fate::completed) {
      const std::string said = instant.victim.ask("t:said");
      require(deed_.says.empty() || said == deed_.says, "the victim said: " + said);
      instant.victim.quit();
    }
    deed_.after(*crew_, instant.fate);
    finish_tasks(*crew_, deed_);
  }

 private:
  // All work but the victim's own run is done, and all room but what it has in hand is had.
  void go_on_past_it() {
    TaskCrew& crew = *crew_;
    if (deed_.meanwhile) return deed_.meanwhile(crew);
    if (!deed_.reaps) require(crew.one.ask("reap") == "0", "a stopped process was robbed");
    crew.work(true);
    crew.clear();
    if (!deed_.reaps) require(crew.other.ask("reap") == "0", "a stopped process was robbed");
    const auto give_up = std::chrono::steady_clock::now() + party_patience;
    for (;;) {
      std::string id = crew.one.ask("t:trysubmit " + std::to_string(crew.next_value++));
      for (; !id.empty(); id = crew.one.ask("t:trysubmit " + std::to_string(crew.next_value++))) crew.submitted.insert(std::stoull(id));
      std::size_t free = 0;
      for (const TaskLook& seen : crew.look()) free += seen.state == TaskState::free;
      if (free <= 1) break;
      require(std::chrono::steady_clock::now() < give_up, std::to_string(free) + " free records that nobody gets");
      crew.note(crew.other.ask("t:idle"));
    }
    crew.work(true);
    crew.clear();
  }

  const TaskDeed& deed_;
  std::optional<TaskCrew> crew_;
};

void report(const Report& report) { EXPECT_TRUE(report.clean()) << report; }

}  // namespace

void task_killed(const std::string& name, const TaskDeed& deed, Detail detail) {
  report(run_killed(name, [&] { return std::make_unique<TaskOperation>(deed); }, scenario_limits(), detail));
}
void task_stopped(const std::string& name, const TaskDeed& deed, Detail detail) {
  report(run_stopped(name, [&] { return std::make_unique<TaskOperation>(deed); }, scenario_limits(), detail));
}
void task_killed_and_stopped(const std::string& name, const TaskDeed& deed) {
  task_killed(name, deed);
  task_stopped(name, deed);
}

}  // namespace killtest
