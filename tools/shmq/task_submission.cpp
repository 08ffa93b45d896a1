#include "task_submission.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>

#include "failure.hpp"
#include "shmq/inspect.hpp"
#include "shmq/layout/name_field.hpp"

namespace shmq::cli {

namespace {

Overdue overdue_of(const Arguments& arguments) {
  const std::string text = arguments.get("--overdue").value_or("run");
  if (text != "run" && text != "expire")
    throw UsageError{"--overdue " + text + ": use run (late is better than never), or expire"};
  if (arguments.has("--overdue") && !arguments.has("--deadline")) throw UsageError{"--overdue belongs to --deadline"};
  return text == "run" ? Overdue::run : Overdue::expire;
}

/// "FIRST" or "FIRST:MOST", seconds with fractions.
Backoff backoff_of(const Arguments& arguments) {
  Backoff backoff;
  backoff.jitter = static_cast<double>(arguments.number("--jitter", 0, 0, 100)) / 100;
  const auto text = arguments.get("--backoff");
  if (!text) {
    if (arguments.has("--jitter")) throw UsageError{"--jitter belongs to --backoff"};
    return backoff;
  }
  const auto part = [&](const std::string& number) {
    double value = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value, std::chars_format::fixed);
    constexpr double kMost = 49 * 86400;
    if (error != std::errc{} || end != number.data() + number.size() || !(value >= 0 && value <= kMost))
      throw UsageError{"--backoff " + *text + ": not FIRST or FIRST:MOST, seconds up to 49 days; use for example 0.5:60"};
    return std::chrono::milliseconds(static_cast<std::int64_t>(value * 1000));
  };
  const std::size_t colon = text->find(':');
  backoff.first = part(text->substr(0, colon));
  if (colon != std::string::npos) backoff.cap = part(text->substr(colon + 1));
  if (backoff.cap < backoff.first) {
    if (colon != std::string::npos) throw UsageError{"--backoff " + *text + ": the first delay is longer than the longest"};
    backoff.cap = backoff.first;
  }
  return backoff;
}

}  // namespace

Submission submission_of(const Arguments& arguments) {
  constexpr std::uint64_t kAttemptsMax = 1000;
  Submission submission;
  submission.name = arguments.get("--name").value_or("");
  constexpr std::size_t kNameMax = sizeof(layout::NameField) - 1;
  if (submission.name.size() > kNameMax)
    throw UsageError{"--name " + submission.name + ": has " + std::to_string(submission.name.size()) +
                     " bytes, and a task's name up to " + std::to_string(kNameMax)};
  TaskOptions& o = submission.options;
  submission.key = arguments.get("--key").value_or("");
  if (arguments.has("--key") && (submission.key.empty() || submission.key.size() > kNameMax))
    throw UsageError{"--key " + submission.key + ": has " + std::to_string(submission.key.size()) + " bytes, and a key 1 to " +
                     std::to_string(kNameMax)};
  if (const auto until = arguments.get("--key-until")) {
    if (submission.key.empty()) throw UsageError{"--key-until belongs to --key"};
    o.key_scope = *until == "done" ? KeyScope::until_done : *until == "started" ? KeyScope::until_started : KeyScope::for_time;
    if (o.key_scope == KeyScope::for_time) o.key_time = std::chrono::nanoseconds(*arguments.seconds_ns("--key-until"));
  }
  o.failures_max = static_cast<std::uint16_t>(arguments.number("--retries", o.failures_max, 0, kAttemptsMax));
  o.crashes_max = static_cast<std::uint16_t>(arguments.number("--crashes", o.crashes_max, 0, kAttemptsMax));
  o.timeouts_max = static_cast<std::uint16_t>(arguments.number("--timeouts", o.timeouts_max, 0, kAttemptsMax));
  o.priority = static_cast<std::uint8_t>(arguments.number("--priority", o.priority, 0, 255));
  o.hold = arguments.has("--hold");
  const auto seconds = [&](const char* option) { return std::chrono::nanoseconds(arguments.seconds_ns(option).value_or(0)); };
  o.delay = seconds("--delay");
  o.deadline = seconds("--deadline");
  o.expires = seconds("--expires");
  o.run_limit = seconds("--timeout");
  o.keep_for = seconds("--keep-for");
  o.overdue = overdue_of(arguments);
  o.backoff = backoff_of(arguments);
  o.correlation = arguments.number("--correlation", 0, 0, UINT64_MAX);
  o.keep = !arguments.has("--forget");
  return submission;
}

std::size_t payload_most(const std::string& segment, const std::string& table) {
  const SegmentSnapshot snapshot = need(inspect_segment(segment, {.slots = false}));
  std::size_t most = 0;
  for (const ObjectSnapshot& object : snapshot.objects)
    if (object.tasks && object.name == table) most = object.tasks->payload_room;
  for (const BlockClassSnapshot& blocks : snapshot.blocks) most = std::max<std::size_t>(most, blocks.block_bytes);
  return most;
}

}  // namespace shmq::cli
