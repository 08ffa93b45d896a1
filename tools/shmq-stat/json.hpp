// A JSON document written from front to back. Strings that are not UTF-8 lose the bytes that are not, to U+FFFD.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace shmq::stat {

class Json {
 public:
  Json& open(char bracket) {
    begin();
    text_ += bracket;
    first_ = true;
    return *this;
  }
  Json& close(char bracket) {
    text_ += bracket;
    first_ = false;
    return *this;
  }
  Json& key(std::string_view name) {
    begin();
    quote(name);
    text_ += ':';
    first_ = true;  // what follows belongs to the key
    return *this;
  }
  Json& value(std::string_view text) {
    begin();
    quote(text);
    return *this;
  }
  Json& value(const std::string& text) { return value(std::string_view(text)); }
  Json& value(const char* text) { return value(std::string_view(text)); }
  template <class Number>
    requires std::is_integral_v<Number>
  Json& value(Number number) {
    begin();
    if constexpr (std::is_same_v<Number, bool>)
      text_ += number ? "true" : "false";
    else
      text_ += std::to_string(number);
    return *this;
  }
  /// Six significant digits; null for what is no number.
  Json& value(double number);
  template <class T>
  Json& value(const std::optional<T>& maybe) {
    if (maybe) return value(*maybe);
    begin();
    text_ += "null";
    return *this;
  }
  template <class T>
  Json& member(std::string_view name, const T& content) {
    return key(name).value(content);
  }
  const std::string& text() const { return text_; }

 private:
  void begin() {
    if (!first_) text_ += ',';
    first_ = false;
  }
  void quote(std::string_view text);

  std::string text_;
  bool first_ = true;
};

}  // namespace shmq::stat
