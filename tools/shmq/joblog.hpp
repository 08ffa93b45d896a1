// map --joblog: a table of what became of each item, one line each, tabs between.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "descriptor.hpp"

namespace shmq::cli {

struct JobRow {
  std::uint64_t number = 0;
  std::int64_t started_ns = 0;  // CLOCK_REALTIME; 0: not known
  std::int64_t took_ns = 0;
  int status = 0;  // -1: its workers were killed
  int signal = 0;
  std::vector<std::string> command;
};

class Joblog {
 public:
  /// An empty path: nothing is kept. Failure where the file cannot be made.
  explicit Joblog(const std::string& path);
  bool wanted() const { return static_cast<bool>(file_); }
  void add(const JobRow& row);
  /// Writes what was added; errno of what went wrong.
  int write();

 private:
  Descriptor file_;
  std::string text_;
};

}  // namespace shmq::cli
