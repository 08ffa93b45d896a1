#include "json.hpp"

#include <cmath>
#include <cstdio>

#include "text.hpp"

namespace shmq::stat {

Json& Json::value(double number) {
  begin();
  char text[32] = "null";
  if (std::isfinite(number)) std::snprintf(text, sizeof text, "%.6g", number);
  text_ += text;
  return *this;
}

void Json::quote(std::string_view text) {
  text_ += '"';
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const char c = text[0];
    if (length == 0) {
      text_ += "\\ufffd";
    } else if (c == '"' || c == '\\') {
      text_ += '\\';
      text_ += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(c));
      text_ += escaped;
    } else {
      text_ += text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  text_ += '"';
}

}  // namespace shmq::stat
