#include <cstdio>
#include <vector>

#include "base/text.hpp"
#include "human.hpp"
#include "shmq/tasks.hpp"
#include "text.hpp"
#include "who_text.hpp"

namespace shmq::stat {

namespace {

std::string head_text(const SegmentSnapshot& s, const ObjectSnapshot& object) {
  const TaskTableSnapshot& t = *object.tasks;
  std::string text = "Task table " + printable(s.name) + "/" + printable(object.name) + "\n  room for " + count_text(t.capacity) +
                     " tasks, payloads of " + base::size_text(t.payload_room) + " and results of " +
                     base::size_text(t.result_room) + " without a block\n  ";
  text += t.removed || object.state != ObjectState::live ? "removed" : t.draining ? "draining: nothing can be submitted" : "open";
  if (t.paused) text += ", paused: nothing is started";
  if (t.workers_sleep) text += ", workers sleep";
  if (t.submitters_sleep) text += ", submitters sleep: there is no room";
  if (t.keys != 0) text += "\n  " + count_text(t.keys_held) + " of " + count_text(t.keys) + " idempotency keys are held";
  text += std::string("\n  policy ") + to_string(t.policy);
  if (t.policy != TaskPolicy::fifo) return text + "\n";
  return text + "; the ready index has " + count_text(t.hinted) + (t.hinted == 1 ? " entry\n" : " entries\n");
}

std::string times_text(const TaskTimes& times, std::chrono::nanoseconds what) {
  return times.count == 0 ? "-" : duration_text(what.count());
}

std::vector<std::string> figures_row(const std::string& whose, const TaskStatistics& f) {
  return {whose, count_text(f.submitted), count_text(f.started), count_text(f.done), count_text(f.failures), count_text(f.crashes),
          count_text(f.timeouts), count_text(f.releases), times_text(f.wait, f.wait.mean), times_text(f.wait, f.wait.p50),
          times_text(f.wait, f.wait.p99), times_text(f.run, f.run.mean), times_text(f.run, f.run.p50), times_text(f.run, f.run.p99)};
}

/// "10", "0.35": of a second.
std::string rate_text(double rate) {
  char text[32];
  std::snprintf(text, sizeof text, rate != 0 && rate < 10 ? "%.2f" : "%.0f", rate);
  return text;
}

std::string whose_text(const SegmentSnapshot& segment, const TaskStatistics& f) {
  if (f.participant != 0) return "by " + who_text(segment, f.participant);
  return f.name.empty() ? "no name" : "named " + printable(f.name);
}

std::string rates_text(const SegmentSnapshot& segment, const TaskTableSnapshot& t, const EarlierLook& earlier) {
  Table table({"A SECOND, IN THE LAST " + duration_text(earlier.ago_ns), ">SUBMITTED", ">STARTED", ">DONE", ">ENDED OTHERWISE"});
  const auto row = [&](const std::string& whose, const TaskStatistics& then, const TaskStatistics& now) {
    const Rates rates = rates_of(earlier, then, now);
    table.row({whose, rate_text(rates.submitted), rate_text(rates.started), rate_text(rates.done), rate_text(rates.otherwise)});
  };
  row("all", earlier.table.figures, t.figures);
  for (const TaskStatistics& f : t.figures_by_name) row(whose_text(segment, f), same_of(earlier.table.figures_by_name, f), f);
  for (const TaskStatistics& f : t.figures_by_worker)
    if (f.submitted + f.started != 0) row(whose_text(segment, f), same_of(earlier.table.figures_by_worker, f), f);
  return table.text("  ");
}

std::string figures_text(const SegmentSnapshot& segment, const TaskTableSnapshot& t) {
  Table table({"SO FAR", ">SUBMITTED", ">STARTED", ">DONE", ">FAILURES", ">CRASHES", ">TIMEOUTS", ">RELEASES", ">WAIT MEAN", ">P50",
               ">P99", ">RUN MEAN", ">P50", ">P99"});
  table.row(figures_row("all", t.figures));
  for (const TaskStatistics& f : t.figures_by_name) table.row(figures_row(whose_text(segment, f), f));
  for (const TaskStatistics& f : t.figures_by_worker)
    if (f.submitted + f.started != 0) table.row(figures_row(whose_text(segment, f), f));
  return table.text("  ");
}

}  // namespace

std::string table_text(const SegmentSnapshot& segment, const ObjectSnapshot& object, const EarlierLook* earlier) {
  const TaskTableSnapshot& t = *object.tasks;
  Table states({"STATE", ">TASKS"});
  for (std::size_t i = 0; i < t.states.size(); ++i)
    if (t.states[i] != 0) states.row({to_string(static_cast<TaskState>(i)), count_text(t.states[i])});
  Table shares({"IN THE HANDS OF", ">BEING WRITTEN", ">CLAIMED", ">RUNNING"});
  for (const TaskTableSnapshot::Share& share : t.shares)
    shares.row({who_text(segment, share.participant), count_text(share.writing), count_text(share.claimed), count_text(share.running)});
  Table tasks({">TASK", "STATE", ">PROGRESS", "NAME", "BY"});
  for (const TaskTableSnapshot::InHand& task : t.in_hand)
    tasks.row({std::to_string(task.id), task.running ? "running" : "claimed",
               task.percent == 0 ? "-" : std::to_string(task.percent) + " %", task.name.empty() ? "-" : printable(task.name),
               who_text(segment, task.participant)});
  return head_text(segment, object) + "\n" + states.text("  ") + (shares.empty() ? "" : "\n" + shares.text("  ")) +
         (tasks.empty() ? "" : "\n" + tasks.text("  ")) + "\n" + figures_text(segment, t) +
         (earlier == nullptr ? "" : "\n" + rates_text(segment, t, *earlier));
}

}  // namespace shmq::stat
