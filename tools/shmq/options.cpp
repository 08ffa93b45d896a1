#include "options.hpp"

#include <charconv>
#include <cmath>

#include "base/text.hpp"
#include "failure.hpp"

namespace shmq::cli {

namespace {

const OptionSpec* find(std::initializer_list<OptionSpec> known, std::string_view name) {
  for (const OptionSpec& spec : known)
    if (spec.name == name) return &spec;
  return nullptr;
}

std::optional<std::uint64_t> whole_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// "COUNTxSIZE".
std::optional<std::pair<std::uint64_t, std::uint64_t>> count_and_size(std::string_view text) {
  const std::size_t cross = text.find('x');
  if (cross == std::string_view::npos) return std::nullopt;
  const auto count = whole_number(text.substr(0, cross));
  const auto size = base::parse_size(text.substr(cross + 1));
  if (!count || !size || *count == 0 || *size == 0) return std::nullopt;
  return std::pair(*count, *size);
}

}  // namespace

Arguments::Arguments(const std::vector<std::string>& given, std::initializer_list<OptionSpec> known,
                     WordPlace place) {
  bool options = true;
  for (std::size_t i = 0; i < given.size(); ++i) {
    const std::string& word = given[i];
    if (!options || word.size() < 2 || word[0] != '-') {
      words_.push_back(word);
      if (place == WordPlace::last) options = false;
      continue;
    }
    if (word == "--") {
      options = false;
      continue;
    }
    const std::size_t equals = word.starts_with("--") ? word.find('=') : std::string::npos;
    const std::string name = word.substr(0, equals);
    const OptionSpec* spec = find(known, name);
    if (spec == nullptr) throw UsageError{"unknown option " + name};
    if (spec->parameter == nullptr) {
      if (equals != std::string::npos) throw UsageError{name + " takes no parameter"};
      options_.emplace_back(spec->name, "");
      continue;
    }
    if (equals == std::string::npos && i + 1 >= given.size())
      throw UsageError{name + " needs a parameter: " + name + " " + spec->parameter};
    options_.emplace_back(spec->name, equals == std::string::npos ? given[++i] : word.substr(equals + 1));
  }
}

bool Arguments::has(std::string_view option) const { return get(option).has_value(); }

std::optional<std::string> Arguments::get(std::string_view option) const {
  std::optional<std::string> last;
  for (const auto& [name, value] : options_)
    if (name == option) last = value;
  return last;
}

std::vector<std::string> Arguments::all(std::string_view option) const {
  std::vector<std::string> values;
  for (const auto& [name, value] : options_)
    if (name == option) values.push_back(value);
  return values;
}

std::uint64_t Arguments::number(std::string_view option, std::uint64_t otherwise, std::uint64_t least,
                                std::uint64_t most) const {
  const auto text = get(option);
  if (!text) return otherwise;
  const auto value = whole_number(*text);
  if (!value || *value < least || *value > most)
    throw UsageError{std::string(option) + " " + *text + ": not a whole number from " +
                     std::to_string(least) + " to " + std::to_string(most)};
  return *value;
}

std::uint64_t Arguments::size(std::string_view option, std::uint64_t otherwise) const {
  const auto text = get(option);
  if (!text) return otherwise;
  const auto value = base::parse_size(*text);
  if (!value || *value == 0)
    throw UsageError{std::string(option) + " " + *text +
                     ": not a size; use a number of bytes, or one with K, M or G: 64M"};
  return *value;
}

std::optional<std::int64_t> Arguments::seconds_ns(std::string_view option) const {
  const auto text = get(option);
  if (!text) return std::nullopt;
  double seconds = 0;
  const auto [end, error] =
      std::from_chars(text->data(), text->data() + text->size(), seconds, std::chars_format::fixed);
  if (error != std::errc{} || end != text->data() + text->size() || !(seconds >= 0 && seconds <= 1e9))
    throw UsageError{std::string(option) + " " + *text + ": not a number of seconds from 0 to 1000000000"};
  return static_cast<std::int64_t>(seconds * 1e9);
}

const std::string& Arguments::only_word(const char* what) const {
  if (words_.empty()) throw UsageError{std::string("needs ") + what};
  if (words_.size() > 1)
    throw UsageError{"takes one " + std::string(what) + "; \"" + words_[1] + "\" is one too many"};
  return words_[0];
}

void Arguments::no_words() const {
  if (!words_.empty()) throw UsageError{"takes no name; \"" + words_[0] + "\" is one too many"};
}

std::vector<BlockClass> parse_blocks(const std::string& text) {
  std::vector<BlockClass> blocks;
  if (text == "none") return blocks;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t comma = std::min(text.find(',', begin), text.size());
    const auto entry = count_and_size(std::string_view(text).substr(begin, comma - begin));
    if (!entry || entry->first > UINT32_MAX)
      throw UsageError{"--blocks " + text +
                       ": not a list of COUNTxSIZE; use for example 256x64K,16x1M, or none"};
    blocks.push_back({entry->second, static_cast<std::uint32_t>(entry->first)});
    begin = comma + 1;
  }
  return blocks;
}

std::string blocks_text(const std::vector<BlockClass>& blocks) {
  std::string text;
  for (const BlockClass& c : blocks)
    text += (text.empty() ? "" : ",") + std::to_string(c.count) + "x" + std::to_string(c.bytes);
  return text.empty() ? "none" : text;
}

QueueOptions parse_queue_shape(const std::string& text) {
  const auto shape = count_and_size(text);
  if (!shape || shape->second > UINT32_MAX)
    throw UsageError{"--queue " + text +
                     ": not CAPACITYxSLOT; use for example 1024x64: 1024 slots of 64 bytes"};
  QueueOptions options;
  options.capacity = shape->first;
  options.slot_bytes = static_cast<std::uint32_t>(shape->second);
  return options;
}

TaskPolicy parse_policy(const std::string& text) {
  for (const TaskPolicy policy : {TaskPolicy::fifo, TaskPolicy::priority, TaskPolicy::edf})
    if (text == to_string(policy)) return policy;
  throw UsageError{"--policy " + text + ": there is no such policy; use fifo, priority or edf"};
}

TaskTableOptions parse_table_shape(const std::string& text) {
  TaskTableOptions options;
  const std::size_t first = text.find('x');
  const std::size_t second = first == std::string::npos ? first : text.find('x', first + 1);
  const auto shape = count_and_size(std::string_view(text).substr(0, second));
  const auto result = second == std::string::npos ? std::optional<std::uint64_t>(options.result_bytes)
                                                  : base::parse_size(std::string_view(text).substr(second + 1));
  if (!shape || !result || shape->first > UINT32_MAX || shape->second > UINT32_MAX || *result > UINT32_MAX)
    throw UsageError{"--table " + text +
                     ": not CAPACITYxPAYLOAD or CAPACITYxPAYLOADxRESULT; use for example 65536x256x64: room for 65536"
                     " tasks with payloads of 256 and results of 64 bytes"};
  options.capacity = static_cast<std::uint32_t>(shape->first);
  options.payload_bytes = static_cast<std::uint32_t>(shape->second);
  options.result_bytes = static_cast<std::uint32_t>(*result);
  return options;
}

}  // namespace shmq::cli
