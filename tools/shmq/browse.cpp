// browse: what a queue keeps, without taking any of it.
#include <string>
#include <string_view>

#include "address.hpp"
#include "commands.hpp"
#include "failure.hpp"
#include "json.hpp"
#include "options.hpp"
#include "output.hpp"
#include "payload_text.hpp"
#include "text.hpp"

namespace shmq::cli {

namespace {

std::string_view text_of(const BrowsedMessage& message) {
  return {reinterpret_cast<const char*>(message.payload.data()), message.payload.size()};
}

std::string state_text(const BrowsedMessage& message) {
  if (message.state != BrowsedMessage::State::held) return to_string(message.state);
  return "held by \"" + stat::printable(message.holder_name) + "\" (id " + std::to_string(message.holder) + ", pid " +
         std::to_string(message.holder_pid) + ")";
}

std::string deliveries_text(const BrowsedMessage& message) {
  if (message.deliveries == 0) return message.redelivered ? "again" : "new";
  return "delivered " + std::to_string(message.deliveries) + (message.deliveries == 1 ? " time" : " times");
}

std::string line_of(const BrowsedMessage& message) {
  return std::to_string(message.id.generation) + ":" + std::to_string(message.id.position) + "\t" +
         state_text(message) + "\ttype " + std::to_string(message.type) + "\t" +
         std::to_string(message.payload.size()) + " B\t" + deliveries_text(message) + "\t" + shown(text_of(message)) +
         "\n";
}

std::string object_of(const BrowsedMessage& message) {
  stat::Json json;
  json.open('{').member("generation", message.id.generation).member("position", message.id.position);
  json.member("type", message.type).member("state", to_string(message.state)).member("deliveries", message.deliveries);
  json.member("redelivered", message.redelivered).key("holder");
  if (message.state == BrowsedMessage::State::held)
    json.open('{').member("id", message.holder).member("pid", message.holder_pid).member("name", message.holder_name).close('}');
  else
    json.value(std::optional<int>());
  json.member("producer_pid", message.producer_pid).member("published_ns", message.published_ns);
  json.member("correlation", message.correlation).member("size", message.payload.size());
  put_bytes(json, text_of(message));
  return json.close('}').text();
}

}  // namespace

int browse_command(const Words& words) {
  const Arguments arguments(words, {{"--max", "N"}, {"--json"}});
  const bool json = arguments.has("--json");
  const std::string& name = arguments.only_word("SEG/Q");
  const Address address = parse_queue(name);
  const std::uint64_t max = arguments.number("--max", SIZE_MAX, 1, SIZE_MAX);
  const OpenQueue open = open_queue(address, "browse");
  Browser browser = open.queue.browse(max);
  if (json && !print(R"({"schema":"shmq-browse","version":1,"queue":")" + name + R"(","messages":[)")) return kOk;
  bool first = true;
  while (const std::optional<BrowsedMessage> message = browser.next()) {
    const std::string text = json ? (first ? "\n" : ",\n") + object_of(*message) : line_of(*message);
    first = false;
    if (!print(text)) return kOk;
  }
  if (json) print(first ? "]}\n" : "\n]}\n");
  return kOk;
}

}  // namespace shmq::cli
