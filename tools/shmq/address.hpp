// SEG/Q and SEG/T: where a queue or a task table is.
#pragma once

#include <string>

#include "shmq/segment.hpp"

namespace shmq::cli {

struct Address {
  std::string segment;
  std::string queue;  // or task table; empty: the segment itself
};

// Each throws UsageError where the text cannot be what is asked for, and Failure where it is not there.

/// SEG or SEG/Q. What a name may consist of is checked where it is used.
Address parse_address(const std::string& text);
/// SEG.
std::string parse_segment(const std::string& text);
/// SEG/Q.
Address parse_queue(const std::string& text);
/// SEG/T.
Address parse_table(const std::string& text);

struct OpenQueue {
  Segment segment;
  Queue<void> queue;
};

/// `command` is how the attachment is called: "shmq send".
Segment open_segment(const std::string& segment, const char* command);
Queue<void> open_queue(Segment& segment, const std::string& queue);
OpenQueue open_queue(const Address& address, const char* command);

struct OpenTable {
  Segment segment;
  TaskTable table;
};
OpenTable open_table(const Address& address, const char* command);

}  // namespace shmq::cli
