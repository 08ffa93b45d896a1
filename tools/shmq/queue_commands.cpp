// queue, purge, close.
#include <algorithm>

#include "address.hpp"
#include "commands.hpp"
#include "failure.hpp"
#include "options.hpp"
#include "output.hpp"

namespace shmq::cli {

namespace {

OnFull parse_on_full(const std::string& text) {
  for (const OnFull on_full : {OnFull::block, OnFull::reject, OnFull::drop_oldest})
    if (text == to_string(on_full)) return on_full;
  throw UsageError{"--on-full " + text + ": use block, reject or drop_oldest"};
}

}  // namespace

int queue_command(const Words& words) {
  const Arguments arguments(words, {{"--kind", "mpmc|spsc"},
                                    {"--capacity", "N"},
                                    {"--slot", "BYTES"},
                                    {"--ring", "BYTES"},
                                    {"--on-full", "block|reject|drop_oldest"},
                                    {"--metadata"},
                                    {"--delivery-limit", "N"},
                                    {"--dead-letter", "Q"}});
  const Address address = parse_queue(arguments.only_word("SEG/Q"));
  QueueOptions options;
  if (const std::string kind = arguments.get("--kind").value_or("mpmc"); kind == "spsc")
    options.kind = QueueKind::spsc;
  else if (kind != "mpmc")
    throw UsageError{"--kind " + kind + ": there is no such kind of queue; use mpmc or spsc"};
  options.capacity = arguments.number("--capacity", options.capacity, 1, UINT64_MAX);
  options.slot_bytes =
      static_cast<std::uint32_t>(std::min<std::uint64_t>(arguments.size("--slot", 0), UINT32_MAX));
  options.ring_bytes = arguments.size("--ring", 0);
  options.on_full = parse_on_full(arguments.get("--on-full").value_or("block"));
  options.metadata = arguments.has("--metadata");
  options.delivery_limit = static_cast<std::uint32_t>(arguments.number("--delivery-limit", 0, 0, 255));
  options.dead_letter = arguments.get("--dead-letter").value_or("");
  need(open_segment(address.segment, "queue").queue(address.queue, options));
  return kOk;
}

int purge_command(const Words& words) {
  const Arguments arguments(words, {});
  OpenQueue open = open_queue(parse_queue(arguments.only_word("SEG/Q")), "purge");
  const std::uint64_t purged = need(open.queue.purge());
  print(std::to_string(purged) + (purged == 1 ? " message purged\n" : " messages purged\n"));
  return kOk;
}

int close_command(const Words& words) {
  const Arguments arguments(words, {});
  open_queue(parse_queue(arguments.only_word("SEG/Q")), "close").queue.close();
  return kOk;
}

}  // namespace shmq::cli
