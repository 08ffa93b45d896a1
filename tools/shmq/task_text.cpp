#include "task_text.hpp"

#include <time.h>

#include <charconv>

#include "failure.hpp"
#include "payload_text.hpp"
#include "shmq/base/clock.hpp"
#include "text.hpp"

namespace shmq::cli {

namespace {

constexpr TaskState kShownStates[] = {TaskState::held,    TaskState::waiting, TaskState::delayed,   TaskState::ready,
                                      TaskState::claimed, TaskState::running, TaskState::done,      TaskState::dead,
                                      TaskState::cancelled, TaskState::expired};

}  // namespace

TaskState parse_state(const std::string& text) {
  std::string known;
  for (const TaskState state : kShownStates) {
    if (text == to_string(state)) return state;
    known += (known.empty() ? "" : ", ") + std::string(to_string(state));
  }
  throw UsageError{"--state " + text + ": there is no such state; use one of " + known};
}

TaskId parse_task_id(const std::string& text) {
  TaskId id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc{} || end != text.data() + text.size() || id == 0)
    throw UsageError{"\"" + text + "\" is no task's id: a whole number, as submit prints them and list shows them"};
  return id;
}

std::uint8_t parse_priority(const std::string& text) {
  std::uint8_t priority = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), priority);
  if (error != std::errc{} || end != text.data() + text.size())
    throw UsageError{"\"" + text + "\" is no priority: a whole number from 0, the first, to 255"};
  return priority;
}

std::string ends_text(const layout::Tally& ended) {
  std::string text;
  const auto add = [&](std::uint32_t count, const char* one, const char* many) {
    if (count != 0) text += (text.empty() ? "" : ", ") + std::to_string(count) + " " + (count == 1 ? one : many);
  };
  add(ended.failures, "failure", "failures");
  add(ended.crashes, "crash", "crashes");
  add(ended.timeouts, "timeout", "timeouts");
  add(ended.releases, "release", "releases");
  return text;
}

std::string fate_text(const TaskInfo& info) {
  const std::string ends = ends_text(info.ended);
  return std::string(to_string(info.state)) + " after " + std::to_string(info.runs) + (info.runs == 1 ? " run" : " runs") +
         (ends.empty() ? "" : " (" + ends + ")");
}

People::People(const std::string& segment) : segment_(need(inspect_segment(segment, {.slots = false}))) {}

std::string People::text(std::uint32_t id) const {
  const ParticipantSnapshot* p = find(id);
  if (p == nullptr) return "id " + std::to_string(id);
  return "\"" + stat::printable(p->name) + "\" (id " + std::to_string(id) + ", pid " + std::to_string(p->pid) + ")";
}

namespace {

/// ", 50 % halfway"; empty where nothing is known.
std::string progress_text(const TaskInfo& info) {
  if (info.percent == 0 && info.note.empty()) return "";
  return ", " + std::to_string(info.percent) + " %" + (info.note.empty() ? "" : " " + stat::printable(info.note));
}

std::string error_text(const TaskErrorInfo& error) {
  std::string text = "run " + std::to_string(error.run) + ": " + to_string(error.end);
  if (error.signal != 0) text += ", signal " + std::to_string(error.signal) + (error.core_dumped ? " (core dumped)" : "");
  return text + (error.text.empty() ? "" : ", " + stat::printable(error.text)) + ", " + stat::time_text(error.at_real_ns);
}

/// "in 3.2 s", of a time on CLOCK_BOOTTIME.
std::string until_text(std::int64_t boot_ns) {
  const std::int64_t left_ns = base::wrapping_difference(boot_ns, base::clock_ns(CLOCK_BOOTTIME));
  return left_ns < 0 ? stat::duration_text(-left_ns) + " ago" : "in " + stat::duration_text(left_ns);
}

}  // namespace

std::string task_line(const TaskInfo& info, const People& people) {
  const std::string ends = ends_text(info.ended);
  return std::to_string(info.id) + "\t" + to_string(info.state) + "\t" + stat::printable(info.name) + "\t" +
         std::to_string(info.runs) + (info.runs == 1 ? " run" : " runs") + "\t" + std::to_string(info.payload_bytes) + " B\t" +
         (info.owner == 0 ? ends : "by " + people.text(info.owner) + progress_text(info) + (ends.empty() ? "" : "; " + ends)) +
         (info.errors.empty() || info.errors.back().text.empty() ? "" : "; " + stat::printable(info.errors.back().text)) + "\n";
}

std::string task_picture(const TaskInfo& info, const People& people, const TaskContents& contents) {
  std::string text = "Task " + std::to_string(info.id) + "\n";
  const auto line = [&](const char* what, const std::string& value) {
    std::string title = what;
    title.resize(13, ' ');
    text += "  " + title + value + "\n";
  };
  line("state", to_string(info.state) + (info.owner == 0 ? "" : ", by " + people.text(info.owner) + progress_text(info)));
  line("name", info.name.empty() ? "-" : stat::printable(info.name));
  const std::string ends = ends_text(info.ended);
  line("runs", std::to_string(info.runs) + (ends.empty() ? "" : "; " + ends));
  if (!info.key.empty()) line("key", stat::printable(info.key));
  line("payload", std::to_string(info.payload_bytes) + " B" + (contents.payload ? "  " + shown(*contents.payload) : ""));
  line("correlation", std::to_string(info.correlation));
  line("priority", std::to_string(info.priority));
  line("submitted", stat::time_text(info.submitted_real_ns));
  if (info.deadline_ns != 0) line("deadline", until_text(info.deadline_ns));
  if (info.due_ns != 0) line("due", until_text(info.due_ns));
  for (const TaskErrorInfo& error : info.errors) line("error", error_text(error));
  if (contents.result) line("result", std::to_string(contents.result->size()) + " B  " + shown(*contents.result));
  return text;
}

void put_task(stat::Json& json, const TaskInfo& info, const People& people, const TaskContents* contents) {
  json.member("id", info.id).member("state", to_string(info.state)).member("name", info.name).member("key", info.key);
  json.key("owner");
  if (info.owner == 0) {
    json.value(std::optional<int>());
  } else {
    const ParticipantSnapshot* p = people.find(info.owner);
    json.open('{').member("id", info.owner).member("pid", p == nullptr ? 0 : p->pid);
    json.member("name", p == nullptr ? std::string() : p->name).close('}');
  }
  json.member("runs", info.runs).member("last_end", to_string(info.last_end));
  json.key("ended").open('{').member("failures", info.ended.failures).member("crashes", info.ended.crashes);
  json.member("timeouts", info.ended.timeouts).member("releases", info.ended.releases).close('}');
  json.member("payload_bytes", info.payload_bytes).member("correlation", info.correlation).member("priority", info.priority);
  json.member("percent", info.percent).member("note", info.note).member("submitted_ns", info.submitted_real_ns);
  json.member("deadline_boot_ns", info.deadline_ns).member("due_boot_ns", info.due_ns).key("errors").open('[');
  for (const TaskErrorInfo& error : info.errors) {
    json.open('{').member("run", error.run).member("end", to_string(error.end)).member("signal", error.signal);
    json.member("core_dumped", error.core_dumped).member("at_ns", error.at_real_ns).member("text", error.text).close('}');
  }
  json.close(']');
  if (contents == nullptr) return;
  const auto put = [&](const char* key, const std::optional<std::string>& bytes) {
    json.key(key);
    if (!bytes) {
      json.value(std::optional<int>());
    } else {
      json.open('{').member("size", bytes->size());
      put_bytes(json, *bytes);
      json.close('}');
    }
  };
  put("payload", contents->payload);
  put("result", contents->result);
}

}  // namespace shmq::cli
