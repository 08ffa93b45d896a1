#include "words.hpp"

#include <cstdio>
#include <cstring>
#include <fstream>
#include <stdexcept>

namespace wordcount {

void count_words(std::string_view text, Counts& into) {
  std::string word;
  std::size_t at = 0;
  while (at < text.size()) {
    while (at < text.size() && !is_letter(text[at])) ++at;
    const std::size_t begin = at;
    while (at < text.size() && is_letter(text[at])) ++at;
    if (at == begin) break;
    word.assign(text.substr(begin, at - begin));
    for (char& c : word) c = lower(c);
    ++into[word];
  }
}

void count_file_plainly(const std::string& path, std::map<std::string, std::uint64_t>& into) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path + " again");
  std::string word;
  for (char c = 0; file.get(c);) {
    if (is_letter(c)) {
      word += lower(c);
    } else if (!word.empty()) {
      ++into[word];
      word.clear();
    }
  }
  if (!word.empty()) ++into[word];
}

void encode(const Counts& counts, std::vector<std::byte>& into) {
  into.clear();
  for (const auto& [word, count] : counts) {
    const auto length = static_cast<std::uint16_t>(word.size());
    const auto number = static_cast<std::uint32_t>(count);
    const std::size_t at = into.size();
    into.resize(at + sizeof length + sizeof number + word.size());
    std::memcpy(into.data() + at, &length, sizeof length);
    std::memcpy(into.data() + at + sizeof length, &number, sizeof number);
    std::memcpy(into.data() + at + sizeof length + sizeof number, word.data(), word.size());
  }
}

bool decode_into(std::span<const std::byte> bytes, Counts& into) {
  std::string word;
  while (!bytes.empty()) {
    std::uint16_t length = 0;
    std::uint32_t count = 0;
    if (bytes.size() < sizeof length + sizeof count) return false;
    std::memcpy(&length, bytes.data(), sizeof length);
    std::memcpy(&count, bytes.data() + sizeof length, sizeof count);
    bytes = bytes.subspan(sizeof length + sizeof count);
    if (bytes.size() < length) return false;
    word.assign(reinterpret_cast<const char*>(bytes.data()), length);
    into[word] += count;
    bytes = bytes.subspan(length);
  }
  return true;
}

}  // namespace wordcount
