// Text for terminals: tables, durations, times, and names that may be any bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace shmq::stat {

/// The bytes of one valid UTF-8 character at the start of `text`, 0 where it does not start with one.
std::size_t utf8_length(std::string_view text);

/// Control characters and what is not UTF-8 become \xNN: a name cannot move the cursor.
std::string printable(std::string_view text);

/// "850 us", "12.4 s", "3 min 20 s", "2 h 5 min", "4 d 3 h".
std::string duration_text(std::int64_t ns);

/// Local time with its offset: "2026-11-20 21:38:45 +0000".
std::string time_text(std::int64_t realtime_ns);

/// "1,234,567".
std::string count_text(std::uint64_t number);

/// The name, or the number where there is none.
std::string user_text(std::uint32_t uid);
std::string group_text(std::uint32_t gid);

/// Columns as wide as their widest cell. A title that starts with '>' makes its column right-aligned.
class Table {
 public:
  explicit Table(std::vector<std::string> titles);
  void row(std::vector<std::string> cells);
  bool empty() const { return rows_.size() == 1; }
  std::string text(std::string_view indent) const;

 private:
  std::vector<std::vector<std::string>> rows_;
  std::vector<bool> right_;
};

}  // namespace shmq::stat
