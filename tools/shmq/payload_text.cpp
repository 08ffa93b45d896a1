#include "payload_text.hpp"

#include <cstdio>

#include "text.hpp"

namespace shmq::cli {

namespace {

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = stat::utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string hex(std::string_view bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

}  // namespace

std::string shown(std::string_view bytes) {
  constexpr std::size_t kMost = 72;
  std::string text;
  for (const char c : bytes.substr(0, kMost)) {
    const auto byte = static_cast<unsigned char>(c);
    char escaped[8];
    std::snprintf(escaped, sizeof escaped, byte >= 0x20 && byte < 0x7f ? "%c" : "\\x%02x", static_cast<unsigned>(byte));
    text += escaped;
  }
  return bytes.size() > kMost ? text + "..." : text;
}

void put_bytes(stat::Json& json, std::string_view bytes) {
  if (is_utf8(bytes))
    json.member("text", std::string(bytes));
  else
    json.member("hex", hex(bytes));
}

}  // namespace shmq::cli
