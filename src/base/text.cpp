#include "base/text.hpp"

#include <cctype>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>

namespace shmq {

const char* to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid_argument:
      return "invalid_argument";
    case ErrorCode::not_found:
      return "not_found";
    case ErrorCode::already_exists:
      return "already_exists";
    case ErrorCode::different:
      return "different";
    case ErrorCode::no_space:
      return "no_space";
    case ErrorCode::permission:
      return "permission";
    case ErrorCode::incompatible:
      return "incompatible";
    case ErrorCode::corrupt:
      return "corrupt";
    case ErrorCode::removed:
      return "removed";
    case ErrorCode::busy:
      return "busy";
    case ErrorCode::detached:
      return "detached";
    case ErrorCode::system:
      return "system";
  }
  return "unknown";
}

}  // namespace shmq

namespace shmq::base {

std::string size_text(std::uint64_t bytes) {
  static constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  char text[32];
  const bool whole = std::abs(value - std::round(value)) < 0.05;
  std::snprintf(text, sizeof text, whole ? "%.0f %s" : "%.1f %s", value, kUnits[unit]);
  return text;
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  double value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (error != std::errc{} || !(value >= 0)) return std::nullopt;
  std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  double factor = 1;
  if (!unit.empty() && unit != "B") {
    static constexpr std::string_view kPrefixes = "KMGT";
    const std::size_t power =
        kPrefixes.find(static_cast<char>(std::toupper(static_cast<unsigned char>(unit[0]))));
    if (power == std::string_view::npos) return std::nullopt;
    unit.remove_prefix(1);
    if (!unit.empty() && unit != "iB" && unit != "B") return std::nullopt;
    factor = std::pow(1024.0, static_cast<double>(power + 1));
  }
  const double bytes = std::floor(value * factor);
  if (bytes > 9.0e18) return std::nullopt;
  return static_cast<std::uint64_t>(bytes);
}

std::string printable(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    char shown[8];
    std::snprintf(shown, sizeof shown, byte >= 0x20 && byte < 0x7f ? "%c" : "\\x%02x", static_cast<unsigned>(byte));
    text += shown;
  }
  return text;
}

std::string errno_text(int error) {
  char buffer[128];
  // The GNU form: returns the text, which need not be in the buffer.
  return std::string(::strerror_r(error, buffer, sizeof buffer)) + " (errno " + std::to_string(error) + ")";
}

Error system_error(int error, const std::string& what) {
  ErrorCode code = ErrorCode::system;
  if (error == ENOENT) code = ErrorCode::not_found;
  if (error == EACCES || error == EPERM) code = ErrorCode::permission;
  if (error == ENOSPC) code = ErrorCode::no_space;
  return Error(code, what + ": " + errno_text(error));
}

Status check_name(std::string_view name, std::size_t max, const char* what) {
  const auto bad = [&](const std::string& why) {
    std::string shown(name.substr(0, 40));
    for (char& c : shown)
      if (!std::isprint(static_cast<unsigned char>(c))) c = '?';
    if (name.size() > 40) shown += "...";
    return Error(ErrorCode::invalid_argument,
                 std::string(what) + " name \"" + shown + "\" " + why + "; use 1 to " + std::to_string(max) +
                     " letters, digits, '.', '_' or '-', starting with a letter, digit or '_'");
  };
  if (name.empty()) return bad("is empty");
  if (name.size() > max) return bad("has " + std::to_string(name.size()) + " characters");
  if (name[0] == '.' || name[0] == '-') return bad(std::string("starts with '") + name[0] + "'");
  for (const char c : name) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (letter || c == '.' || c == '_' || c == '-') continue;
    if (c == '/') return bad("contains '/', which separates a segment from an object");
    if (c == ' ') return bad("contains a space");
    return bad("contains a character that is not allowed");
  }
  return Done{};
}

}  // namespace shmq::base
