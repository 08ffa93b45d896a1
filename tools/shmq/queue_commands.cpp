// queue, peek, purge, close.
#include <algorithm>
#include <cstdio>
#include <string_view>

#include "address.hpp"
#include "commands.hpp"
#include "failure.hpp"
#include "options.hpp"
#include "output.hpp"

namespace shmq::cli {

namespace {

std::string_view text_of(const PeekedMessage& message) {
  return {reinterpret_cast<const char*>(message.payload.data()), message.payload.size()};
}

/// ASCII, the rest as \xNN, cut short: it cannot move the cursor.
std::string shown(std::string_view payload) {
  constexpr std::size_t kMost = 72;
  std::string text;
  for (const char c : payload.substr(0, kMost)) {
    const auto byte = static_cast<unsigned char>(c);
    char escaped[8];
    std::snprintf(escaped, sizeof escaped, byte >= 0x20 && byte < 0x7f ? "%c" : "\\x%02x",
                  static_cast<unsigned>(byte));
    text += escaped;
  }
  return payload.size() > kMost ? text + "..." : text;
}

std::string described(const PeekedMessage& message) {
  return std::to_string(message.id.generation) + ":" + std::to_string(message.id.position) + "\ttype " +
         std::to_string(message.type) + "\t" + std::to_string(message.payload.size()) + " B\t" +
         (message.redelivered ? "again" : "new") + "\t" + shown(text_of(message)) + "\n";
}

OnFull parse_on_full(const std::string& text) {
  for (const OnFull on_full : {OnFull::block, OnFull::reject, OnFull::drop_oldest})
    if (text == to_string(on_full)) return on_full;
  throw UsageError{"--on-full " + text + ": use block, reject or drop_oldest"};
}

}  // namespace

int queue_command(const Words& words) {
  const Arguments arguments(words, {{"--kind", "mpmc"},
                                    {"--capacity", "N"},
                                    {"--slot", "BYTES"},
                                    {"--on-full", "block|reject|drop_oldest"},
                                    {"--metadata"},
                                    {"--delivery-limit", "N"},
                                    {"--dead-letter", "Q"}});
  const Address address = parse_queue(arguments.only_word("SEG/Q"));
  if (const std::string kind = arguments.get("--kind").value_or("mpmc"); kind != "mpmc")
    throw UsageError{"--kind " + kind + ": there is no such kind of queue; use mpmc"};
  QueueOptions options;
  options.capacity = arguments.number("--capacity", options.capacity, 1, UINT64_MAX);
  options.slot_bytes =
      static_cast<std::uint32_t>(std::min<std::uint64_t>(arguments.size("--slot", 64), UINT32_MAX));
  options.on_full = parse_on_full(arguments.get("--on-full").value_or("block"));
  options.metadata = arguments.has("--metadata");
  options.delivery_limit = static_cast<std::uint32_t>(arguments.number("--delivery-limit", 0, 0, 255));
  options.dead_letter = arguments.get("--dead-letter").value_or("");
  need(open_segment(address.segment, "queue").queue(address.queue, options));
  return kOk;
}

int peek_command(const Words& words) {
  const Arguments arguments(words, {{"--count", "N"}, {"--long"}, {"-l"}, {"-0"}});
  const bool details = arguments.has("--long") || arguments.has("-l");
  if (details && arguments.has("-0")) throw UsageError{"--long and -0 exclude one another"};
  const Address address = parse_queue(arguments.only_word("SEG/Q"));
  const std::uint64_t count = arguments.number("--count", 10, 1, UINT32_MAX);
  const OpenQueue open = open_queue(address, "peek");
  for (const PeekedMessage& message : open.queue.peek(count)) {
    const std::string text =
        details ? described(message) : std::string(text_of(message)) + (arguments.has("-0") ? '\0' : '\n');
    if (!print(text)) break;
  }
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
