// The words of a command line: options that a command declares, and the names that are left.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "shmq/options.hpp"
#include "shmq/tasks.hpp"

namespace shmq::cli {

/// One option of a command: "--size" with `parameter` "SIZE", or a flag, whose `parameter` is null.
struct OptionSpec {
  std::string_view name;
  const char* parameter = nullptr;
};

/// Where a command's words may stand: among its options, or after all of them, where they are a command of their own.
enum class WordPlace { anywhere, last };

/// Takes "--size 64M", "--size=64M", flags, and words; "--" makes all that follows words. Unknown options,
/// missing and superfluous parameters throw UsageError.
class Arguments {
 public:
  Arguments(const std::vector<std::string>& given, std::initializer_list<OptionSpec> known,
            WordPlace place = WordPlace::anywhere);

  bool has(std::string_view option) const;
  /// The parameter that was given last.
  std::optional<std::string> get(std::string_view option) const;
  std::vector<std::string> all(std::string_view option) const;

  /// Its parameter as a whole number from `least` to `most`; `otherwise` where it was not given.
  std::uint64_t number(std::string_view option, std::uint64_t otherwise, std::uint64_t least,
                       std::uint64_t most) const;
  std::uint64_t size(std::string_view option, std::uint64_t otherwise) const;
  /// A number of seconds, fractions allowed, in nanoseconds.
  std::optional<std::int64_t> seconds_ns(std::string_view option) const;

  const std::vector<std::string>& words() const { return words_; }
  /// The only word; UsageError where there is none, or more. `what` is what the usage line calls it.
  const std::string& only_word(const char* what) const;
  void no_words() const;

 private:
  std::vector<std::pair<std::string_view, std::string>> options_;
  std::vector<std::string> words_;
};

/// "256x64K,16x1M"; "none" is the empty list.
std::vector<BlockClass> parse_blocks(const std::string& text);
/// The same in the other direction.
std::string blocks_text(const std::vector<BlockClass>& blocks);
/// "1024x64": capacity and slot bytes.
QueueOptions parse_queue_shape(const std::string& text);
/// "65536x256" or "65536x256x64": capacity, payload bytes, result bytes (64).
TaskTableOptions parse_table_shape(const std::string& text);
/// "fifo", "priority", "edf".
TaskPolicy parse_policy(const std::string& text);

}  // namespace shmq::cli
