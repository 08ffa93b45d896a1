#include "text.hpp"

#include <grp.h>
#include <pwd.h>
#include <time.h>

#include <algorithm>
#include <cstdio>

namespace shmq::stat {

namespace {

bool continuation(unsigned char c) { return (c & 0xc0) == 0x80; }

std::size_t shown_width(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return !continuation(static_cast<unsigned char>(c)); }));
}

}  // namespace

std::size_t utf8_length(std::string_view text) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  if (text.empty()) return 0;
  const unsigned char first = at(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xc2 && first <= 0xdf ? 2 : (first & 0xf0) == 0xe0 ? 3 : first >= 0xf0 && first <= 0xf4 ? 4 : 0;
  if (length == 0 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if (!continuation(at(i))) return 0;
  // Overlong forms, surrogates, and what lies past the last code point.
  if (first == 0xe0 && at(1) < 0xa0) return 0;
  if (first == 0xed && at(1) > 0x9f) return 0;
  if (first == 0xf0 && at(1) < 0x90) return 0;
  if (first == 0xf4 && at(1) > 0x8f) return 0;
  return length;
}

std::string printable(std::string_view text) {
  std::string shown;
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const auto first = static_cast<unsigned char>(text[0]);
    const bool control = first < 0x20 || first == 0x7f || (first == 0xc2 && length == 2 && static_cast<unsigned char>(text[1]) < 0xa0);
    if (length == 0 || control) {
      char escaped[8];
      for (std::size_t i = 0; i < std::max<std::size_t>(length, 1); ++i) {
        std::snprintf(escaped, sizeof escaped, "\\x%02x", static_cast<unsigned>(static_cast<unsigned char>(text[i])));
        shown += escaped;
      }
    } else {
      shown += text.substr(0, length);
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return shown;
}

std::string duration_text(std::int64_t ns) {
  char text[64];
  const double s = static_cast<double>(ns) / 1e9;
  const auto whole = static_cast<long long>(ns / 1'000'000'000);
  if (ns < 0) return "-" + duration_text(ns == INT64_MIN ? INT64_MAX : -ns);
  if (ns < 1'000'000) std::snprintf(text, sizeof text, "%lld us", static_cast<long long>(ns / 1'000));
  else if (ns < 1'000'000'000) std::snprintf(text, sizeof text, "%lld ms", static_cast<long long>(ns / 1'000'000));
  else if (whole < 60) std::snprintf(text, sizeof text, "%.1f s", s);
  else if (whole < 3600) std::snprintf(text, sizeof text, "%lld min %lld s", whole / 60, whole % 60);
  else if (whole < 86400) std::snprintf(text, sizeof text, "%lld h %lld min", whole / 3600, whole % 3600 / 60);
  else std::snprintf(text, sizeof text, "%lld d %lld h", whole / 86400, whole % 86400 / 3600);
  return text;
}

std::string time_text(std::int64_t realtime_ns) {
  const time_t seconds = realtime_ns / 1'000'000'000;
  struct tm local {};
  char text[64];
  if (::localtime_r(&seconds, &local) == nullptr || ::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S %z", &local) == 0) return "?";
  return text;
}

std::string count_text(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t i = text.size(); i > 3;) text.insert(i -= 3, ",");
  return text;
}

std::string user_text(std::uint32_t uid) {
  char buffer[4096];
  struct passwd entry {};
  struct passwd* found = nullptr;
  if (::getpwuid_r(uid, &entry, buffer, sizeof buffer, &found) == 0 && found != nullptr) return printable(found->pw_name);
  return std::to_string(uid);
}

std::string group_text(std::uint32_t gid) {
  char buffer[16384];
  struct group entry {};
  struct group* found = nullptr;
  if (::getgrgid_r(gid, &entry, buffer, sizeof buffer, &found) == 0 && found != nullptr) return printable(found->gr_name);
  return std::to_string(gid);
}

Table::Table(std::vector<std::string> titles) {
  for (std::string& title : titles) {
    right_.push_back(title.starts_with('>'));
    if (right_.back()) title.erase(0, 1);
  }
  rows_.push_back(std::move(titles));
}

void Table::row(std::vector<std::string> cells) {
  cells.resize(right_.size());
  rows_.push_back(std::move(cells));
}

std::string Table::text(std::string_view indent) const {
  std::vector<std::size_t> widths(right_.size(), 0);
  for (const auto& cells : rows_)
    for (std::size_t i = 0; i < cells.size(); ++i) widths[i] = std::max(widths[i], shown_width(cells[i]));
  std::string out;
  for (const auto& cells : rows_) {
    std::string line(indent);
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const std::string padding(widths[i] - shown_width(cells[i]), ' ');
      line += right_[i] ? padding + cells[i] : cells[i] + padding;
      if (i + 1 < cells.size()) line += "  ";
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + '\n';
  }
  return out;
}

}  // namespace shmq::stat
