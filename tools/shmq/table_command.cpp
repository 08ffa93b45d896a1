// table: declares a task table.
#include <algorithm>

#include "address.hpp"
#include "commands.hpp"
#include "failure.hpp"
#include "options.hpp"

namespace shmq::cli {

int table_command(const Words& words) {
  const Arguments arguments(words, {{"--capacity", "N"}, {"--payload", "BYTES"}, {"--result", "BYTES"}});
  const Address address = parse_table(arguments.only_word("SEG/T"));
  TaskTableOptions options;
  options.capacity = static_cast<std::uint32_t>(arguments.number("--capacity", options.capacity, 1, UINT32_MAX));
  const auto room = [&](const char* option, std::uint32_t otherwise) {
    return arguments.get(option) == "0" ? 0u : static_cast<std::uint32_t>(std::min<std::uint64_t>(arguments.size(option, otherwise), UINT32_MAX));
  };
  options.payload_bytes = room("--payload", options.payload_bytes);
  options.result_bytes = room("--result", options.result_bytes);
  need(open_segment(address.segment, "table").task_table(address.queue, options));
  return kOk;
}

}  // namespace shmq::cli
