#include "address.hpp"

#include "base/text.hpp"
#include "failure.hpp"

namespace shmq::cli {

Address parse_address(const std::string& text) {
  Address address;
  const std::size_t slash = text.find('/');
  address.segment = text.substr(0, slash);
  need(base::check_name(address.segment, base::kSegmentNameMax, "segment"));
  if (slash == std::string::npos) return address;
  address.queue = text.substr(slash + 1);
  need(base::check_name(address.queue, base::kObjectNameMax, "queue"));
  return address;
}

std::string parse_segment(const std::string& text) {
  const Address address = parse_address(text);
  if (!address.queue.empty())
    throw UsageError{"\"" + text + "\" names a queue or a task table; this wants a segment: " + address.segment};
  return address.segment;
}

Address parse_queue(const std::string& text) {
  Address address = parse_address(text);
  if (address.queue.empty())
    throw UsageError{"\"" + text + "\" names a segment; this wants a queue: " + text + "/QUEUE"};
  return address;
}

Address parse_table(const std::string& text) {
  Address address = parse_address(text);
  if (address.queue.empty())
    throw UsageError{"\"" + text + "\" names a segment; this wants a task table: " + text + "/TABLE"};
  return address;
}

Segment open_segment(const std::string& segment, const char* command) {
  return need(Segment::open(segment, {.name = std::string("shmq ") + command}));
}

Queue<void> open_queue(Segment& segment, const std::string& queue) { return need(segment.open_queue(queue)); }

OpenQueue open_queue(const Address& address, const char* command) {
  Segment segment = open_segment(address.segment, command);
  Queue<void> queue = open_queue(segment, address.queue);
  return {std::move(segment), std::move(queue)};
}

OpenTable open_table(const Address& address, const char* command) {
  Segment segment = open_segment(address.segment, command);
  TaskTable table = need(segment.open_task_table(address.queue));
  return {std::move(segment), std::move(table)};
}

}  // namespace shmq::cli
