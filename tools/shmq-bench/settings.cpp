#include "settings.hpp"

#include <unistd.h>

#include <algorithm>
#include <bit>
#include <charconv>

#include "base/text.hpp"
#include "failure.hpp"
#include "machine.hpp"
#include "payload.hpp"
#include "shmq/layout/queue_header.hpp"

namespace shmq::bench {

namespace {

using cli::Arguments;
using cli::UsageError;

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t comma = std::min(text.find(',', begin), text.size());
    parts.push_back(text.substr(begin, comma - begin));
    begin = comma + 1;
  }
  return parts;
}

template <class Number>
Number whole(const std::string& option, const std::string& text, Number least, Number most) {
  Number value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < least || value > most)
    throw UsageError{option + " " + text + ": not a whole number from " + std::to_string(least) + " to " +
                     std::to_string(most)};
  return value;
}

std::vector<std::size_t> sizes_of(const std::string& text) {
  std::vector<std::size_t> sizes;
  for (const std::string& part : split(text)) {
    const auto size = base::parse_size(part);
    if (!size || *size < kPayloadLeast || *size > (64u << 20) || *size % kPayloadLeast != 0)
      throw UsageError{"--size " + part +
                       ": not a size from 8 to 64M that is a multiple of 8; for example 8,64,1K"};
    sizes.push_back(*size);
  }
  return sizes;
}

std::vector<Kind> kinds_of(const std::string& text) {
  if (text == "mpmc") return {Kind::mpmc};
  if (text == "spsc") return {Kind::spsc};
  if (text == "all") return {Kind::mpmc, Kind::spsc};
  throw UsageError{"--kind " + text + ": use mpmc, spsc or all"};
}

Wait wait_of(const std::string& text) {
  for (const Wait wait : {Wait::spin, Wait::spin_yield, Wait::spin_futex, Wait::futex})
    if (text == to_string(wait)) return wait;
  throw UsageError{"--wait " + text + ": use spin, spin_yield, spin_futex or futex"};
}

std::vector<int> cpus_of(const std::string& text) {
  const std::vector<int> usable = usable_cpus();
  std::vector<int> cpus;
  for (const std::string& part : split(text)) {
    const int cpu = whole<int>("--cpus", part, 0, 4095);
    if (std::find(usable.begin(), usable.end(), cpu) == usable.end())
      throw UsageError{"--cpus " + part +
                       ": this process may not run there; taskset -pc $$ shows where it may"};
    if (std::find(cpus.begin(), cpus.end(), cpu) != cpus.end())
      throw UsageError{"--cpus " + text + ": " + part + " is there twice"};
    cpus.push_back(cpu);
  }
  return cpus;
}

std::vector<std::string> parts_of(const std::string& text) {
  std::vector<std::string> parts = split(text);
  for (const std::string& part : parts)
    if (std::find(std::begin(kTaskParts), std::end(kTaskParts), part) == std::end(kTaskParts))
      throw UsageError{"--only " + part + ": use cycle, latency, waiting, delayed, killed, or several of them: cycle,latency"};
  return parts;
}

Progress::Mode progress_of(const Arguments& arguments) {
  if (::isatty(STDERR_FILENO)) return Progress::Mode::terminal;
  return arguments.has("--progress") ? Progress::Mode::lines : Progress::Mode::none;
}

}  // namespace

const char* to_string(Kind kind) { return kind == Kind::mpmc ? "mpmc" : "spsc"; }

const char* to_string(Wait wait) {
  switch (wait) {
    case Wait::spin_futex:
      return "spin_futex";
    case Wait::spin_yield:
      return "spin_yield";
    case Wait::spin:
      return "spin";
    case Wait::futex:
      return "futex";
  }
  return "unknown";
}

Settings read_settings(const std::string& command, const std::vector<std::string>& words) {
  const Arguments arguments(words, {{"--kind", "mpmc|spsc|all"},
                                    {"--size", "LIST"},
                                    {"--count", "N"},
                                    {"--time", "SECONDS"},
                                    {"--wait", "spin|spin_yield|spin_futex|futex"},
                                    {"--producers", "N"},
                                    {"--consumers", "N"},
                                    {"--batch", "LIST"},
                                    {"--repeats", "N"},
                                    {"--capacity", "N"},
                                    {"--cpus", "LIST"},
                                    {"--smt-below", "NS"},
                                    {"--quick"},
                                    {"--peers"},
                                    {"--only", "cycle,latency,waiting,delayed,killed"},
                                    {"--waiting", "LIST"},
                                    {"--delayed", "N"},
                                    {"--kills", "N"},
                                    {"--json"},
                                    {"--progress"}});
  arguments.no_words();
  const auto belongs = [&](const char* option, std::initializer_list<const char*> to) {
    if (!arguments.has(option) || std::find(to.begin(), to.end(), command) != to.end()) return;
    throw UsageError{std::string(option) + " means nothing to " + command};
  };
  for (const char* option : {"--producers", "--consumers", "--batch"}) belongs(option, {"throughput"});
  belongs("--size", {"rtt", "throughput", "wake"});
  for (const char* option : {"--wait", "--count", "--time", "--capacity"}) belongs(option, {"rtt", "throughput", "wake", "tasks"});
  for (const char* option : {"--peers", "--only", "--waiting", "--delayed", "--kills"}) belongs(option, {"tasks"});
  belongs("--kind", {"rtt", "throughput", "wake", "gate"});
  belongs("--quick", {"gate"});

  Settings settings;
  settings.kinds = kinds_of(arguments.get("--kind").value_or("all"));
  const bool rtt = command == "rtt", wake = command == "wake";
  settings.sizes = sizes_of(arguments.get("--size").value_or(rtt    ? "8,48,64,1K"
                                                             : wake ? "8"
                                                                    : "8,64,1K,64K"));
  settings.count = arguments.number("--count", 0, 1, 1'000'000'000'000);
  settings.sample_ns = arguments.seconds_ns("--time").value_or(wake                       ? 100'000'000
                                                               : arguments.has("--quick") ? 20'000'000
                                                                                          : 50'000'000);
  if (settings.sample_ns < 1'000'000) throw UsageError{"--time: at least 0.001 seconds a sample"};
  settings.wait_given = arguments.has("--wait");
  settings.producers = static_cast<unsigned>(arguments.number("--producers", 1, 1, 256));
  settings.consumers = static_cast<unsigned>(arguments.number("--consumers", 1, 1, 256));
  for (const std::string& part : split(arguments.get("--batch").value_or("1")))
    settings.batches.push_back(whole<unsigned>("--batch", part, 1, 64));
  settings.quick = arguments.has("--quick");
  settings.repeats = static_cast<unsigned>(arguments.number("--repeats", settings.quick ? 3 : 5, 1, 1000));
  settings.capacity = arguments.number("--capacity", 0, 2, layout::kCapacityLog2Max < 64 ? 1ull << 20 : 0);
  settings.smt_below_ns = static_cast<double>(arguments.number("--smt-below", 90, 0, 1'000'000));
  settings.peers = arguments.has("--peers");
  settings.only = parts_of(arguments.get("--only").value_or("cycle,latency,waiting,delayed,killed"));
  for (const std::string& part : split(arguments.get("--waiting").value_or("1000,100000,1000000")))
    settings.waiting.push_back(whole<std::uint64_t>("--waiting", part, 64, 16'000'000));
  settings.delayed = arguments.number("--delayed", 100'000, 1, 10'000'000);
  settings.kills = arguments.number("--kills", 50, 1, 100'000);
  settings.json = arguments.has("--json");
  settings.progress = progress_of(arguments);

  const std::size_t roles = settings.producers + settings.consumers;
  if (const auto cpus = arguments.get("--cpus")) {
    settings.cpus = cpus_of(*cpus);
  } else {
    settings.cpus = usable_cpus();
    if (settings.cpus.size() > roles) settings.cpus.resize(roles);
  }
  // Roles that share a core and only spin would wait for the ends of each other's time slices.
  settings.wait = wake ? Wait::spin_futex : roles > settings.cpus.size() ? Wait::spin_yield : Wait::spin;
  if (settings.wait_given) settings.wait = wait_of(*arguments.get("--wait"));
  return settings;
}

bool travels_inline(std::size_t bytes) { return bytes + sizeof(layout::SlotHeader) <= layout::kSlotBytesMax; }

std::uint32_t slot_bytes_for(std::size_t bytes) {
  if (!travels_inline(bytes)) return layout::kSlotBytesMin;
  return std::max(layout::kSlotBytesMin,
                  static_cast<std::uint32_t>(std::bit_ceil(bytes + sizeof(layout::SlotHeader))));
}

std::uint64_t capacity_for(const Settings& settings, std::size_t bytes) {
  if (settings.capacity != 0) return std::bit_ceil(settings.capacity);
  const std::uint64_t slots = (1u << 20) / std::max<std::size_t>(bytes, slot_bytes_for(bytes));
  return std::clamp<std::uint64_t>(std::bit_floor(std::max<std::uint64_t>(slots, 1)), 16, 1024);
}

}  // namespace shmq::bench
