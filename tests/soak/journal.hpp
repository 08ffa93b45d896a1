// What a worker says about a message, on disk, outside of anything that shmq keeps.
//
// Each worker appends fixed-size records to a file of its own with write(2): what was written survives a
// SIGKILL. A record is 32 bytes, so that none crosses a page and a write that a kill cuts short ends between
// two records.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace soak {

/// Payloads carry this number: the producer's number in the run and a count of its own.
constexpr std::uint64_t payload_id(std::uint32_t producer, std::uint64_t sequence) {
  return (std::uint64_t{producer} << 40) | sequence;
}
constexpr std::uint32_t producer_of(std::uint64_t id) { return static_cast<std::uint32_t>(id >> 40); }
constexpr std::uint64_t sequence_of(std::uint64_t id) { return id & ((std::uint64_t{1} << 40) - 1); }

enum class Event : std::uint8_t {
  intent,     // a producer is about to publish
  published,  // publish() has returned
  got,        // receive() has returned
  released,   // release() has returned; on a relay: forward() has returned ok
};

struct Record {
  std::uint64_t id = 0;
  std::int64_t time_ns =
      0;  // CLOCK_MONOTONIC: got: after receive() returned; released: after release() returned
  std::uint64_t position = 0;  // of the message's id(), where it was got
  std::uint32_t generation = 0;
  Event event = Event::intent;
  std::uint8_t queue = 0;
  std::uint8_t marked = 0;    // redelivered()
  std::uint8_t in_block = 0;  // a payload larger than a slot's room
};
static_assert(sizeof(Record) == 32 && 4096 % sizeof(Record) == 0);

class Journal {
 public:
  /// Appends to the file at `path`, which is created where it is missing. Exits the process on an error: a
  /// worker without a journal proves nothing.
  explicit Journal(const std::string& path);
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;
  ~Journal();

  void write(const Record& record) { write(&record, 1); }
  void write(const Record* records, std::size_t count);

 private:
  int descriptor_;
};

std::vector<Record> read_journal(const std::string& path);

}  // namespace soak
