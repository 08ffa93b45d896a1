// table: declares a task table.
#include <algorithm>

#include "address.hpp"
#include "commands.hpp"
#include "failure.hpp"
#include "options.hpp"

namespace shmq::cli {

int table_command(const Words& words) {
  const Arguments arguments(words, {{"--capacity", "N"},
                                    {"--payload", "BYTES"},
                                    {"--result", "BYTES"},
                                    {"--policy", "fifo|priority|edf"},
                                    {"--aging", "SECONDS"},
                                    {"--errors", "N"},
                                    {"--names", "N"},
                                    {"--keys", "N"},
                                    {"--keep-max", "N"}});
  const Address address = parse_table(arguments.only_word("SEG/T"));
  TaskTableOptions options;
  options.capacity = static_cast<std::uint32_t>(arguments.number("--capacity", options.capacity, 1, UINT32_MAX));
  const auto room = [&](const char* option, std::uint32_t otherwise) {
    return arguments.get(option) == "0" ? 0u : static_cast<std::uint32_t>(std::min<std::uint64_t>(arguments.size(option, otherwise), UINT32_MAX));
  };
  options.payload_bytes = room("--payload", options.payload_bytes);
  options.result_bytes = room("--result", options.result_bytes);
  options.policy = parse_policy(arguments.get("--policy").value_or("fifo"));
  if (const auto aging = arguments.seconds_ns("--aging")) options.aging = std::chrono::nanoseconds(*aging);
  if (arguments.has("--aging") && options.policy != TaskPolicy::priority)
    throw UsageError{"--aging belongs to --policy priority"};
  const auto count = [&](const char* option, std::uint32_t otherwise) {
    return static_cast<std::uint32_t>(arguments.number(option, otherwise, 0, UINT32_MAX));
  };
  options.errors = count("--errors", options.errors);
  options.names = count("--names", options.names);
  options.keys = count("--keys", options.keys);
  options.keep_max = count("--keep-max", options.keep_max);
  // Alone it is about a table that is there, however that was declared.
  if (arguments.has("--keep-max") && words.size() <= 3) {
    Segment segment = open_segment(address.segment, "table");
    if (Result<TaskTable> there = segment.open_task_table(address.queue)) {
      there->set_keep_max(options.keep_max);
      return kOk;
    }
  }
  TaskTable table = need(open_segment(address.segment, "table").task_table(address.queue, options));
  if (arguments.has("--keep-max")) table.set_keep_max(options.keep_max);  // of one that was there already
  return kOk;
}

}  // namespace shmq::cli
