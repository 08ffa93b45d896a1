#include "cases.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "corrupter.hpp"
#include "peers.hpp"
#include "shmq/inspect.hpp"

namespace hostile {

namespace {

const Fields& fields() {
  static const Fields kFields = fields_of(sound_image().bytes);
  return kFields;
}

constexpr unsigned kExtremes = 8;

std::uint64_t extreme(const Field& field, std::uint64_t old, unsigned which) {
  const Facts& facts = fields().facts;
  switch (which) {
    case 0:
      return 0;
    case 1:
      return ~std::uint64_t{0};
    case 2:
      return old + 1;
    case 3:
      return old - 1;
    case 4:
      return field.bytes == 4 ? 0x80000000u : std::uint64_t{1} << 63;
    case 5:
      return ~old;
    case 6:
      return facts.size_bytes;
    default:
      return old ^ 0xf;
  }
}

void remember(const Corrupter& corrupter, Progress& progress) {
  std::strncpy(progress.story, corrupter.story().c_str(), sizeof progress.story - 1);
}

void strike(Corrupter& corrupter, Dice& dice, Progress& progress) {
  static constexpr std::uint64_t kHowMany[] = {1, 1, 1, 2, 3, 5, 8, 20};
  for (std::uint64_t left = kHowMany[dice.below(std::size(kHowMany))]; left > 0; --left) corrupter.strike(dice);
  remember(corrupter, progress);
}

void work(Operations& operations, Dice& dice, std::uint64_t least) {
  for (std::uint64_t left = least + dice.below(2 * least); left > 0; --left) operations.step();
  operations.close();
}

std::string run_copies(Dice& dice, Progress& progress) {
  std::vector<std::byte> bytes = sound_image().bytes;
  const int file = ::memfd_create("copy", MFD_CLOEXEC);
  const std::string path = "/proc/self/fd/" + std::to_string(file);
  (void)!::pwrite(file, bytes.data(), bytes.size(), 0);
  void* const mapped = ::mmap(nullptr, bytes.size(), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  Corrupter corrupter(fields(), static_cast<std::byte*>(mapped));
  progress.operation = "inspect_copy";
  for (int i = 0; i < 8; ++i) {
    if (i != 0) strike(corrupter, dice, progress);
    if (const auto snapshot = shmq::inspect_copy(path, {.slots = !dice.one_in(4)}); snapshot)
      for (const auto& object : snapshot->objects) (void)snapshot->queue(object.name);
    else if (i == 0)
      return "the sound copy is refused: " + snapshot.error().message();
  }
  // Some of it is missing; or there is more of it than it says.
  static constexpr std::uint64_t kLengths[] = {0, 1, 8, 1023, 4095, 4096, 4097, 8192, 65536};
  const std::uint64_t length = dice.one_in(3) ? dice.below(bytes.size()) : kLengths[dice.below(std::size(kLengths))];
  progress.operation = "inspect_copy, truncated";
  if (::ftruncate(file, static_cast<off_t>(length)) != 0 || shmq::inspect_copy(path)) return "a truncated copy is shown as sound";
  if (::ftruncate(file, static_cast<off_t>(bytes.size() + 4096)) != 0 || shmq::inspect_copy(path))
    return "a copy that is too long is shown as sound";
  return {};
}

/// What a program shows of a hostile segment cannot move a cursor.
bool fit_for_a_terminal(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c == '\n' || c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f); });
}

std::string run_programs([[maybe_unused]] const std::string& name, [[maybe_unused]] Dice& dice, [[maybe_unused]] Progress& progress) {
#ifdef SHMQ_STAT
  const std::string queue = name + "/" + kQueueNames[dice.below(6)];
  const std::vector<std::vector<std::string>> stat = {{"show", name}, {"show", name, "--json"}, {"show", queue}, {"list"}};
  const std::vector<std::vector<std::string>> cli = {
      {"ls", name, "--long"}, {"browse", queue}, {"browse", queue, "--json"}, {"recv", queue, "--idle", "0.01", "--count", "3"}, {"send", queue, "--timeout", "0.01"},
      {"purge", queue},       {"reap", name},            {"close", queue},                                  {"rm", queue},
      {"rm", name}};
  std::vector<std::string> words;
  if (dice.one_in(2)) {
    words = stat[dice.below(stat.size())];
    words.insert(words.begin(), SHMQ_STAT);
  } else {
    words = cli[dice.below(cli.size())];
    words.insert(words.begin(), SHMQ_CLI);
  }
  progress.operation = words[0] == SHMQ_STAT ? "shmq-stat" : "shmq";
  std::string output, line;
  for (const std::string& word : words) line += word + " ";
  const int status = run_program(words, output);
  if (status < 0 || status > 5) return line + "ended with " + std::to_string(status) + ": " + output.substr(0, 600);
  if (words[1] != "recv" && !fit_for_a_terminal(output)) return line + "wrote what moves a cursor: " + output.substr(0, 600);
#endif
  return {};
}

}  // namespace

const char* to_string(Manner manner) {
  static constexpr const char* kNames[] = {"before", "under", "extremes", "meanwhile", "flicker", "copies", "programs"};
  return kNames[static_cast<std::size_t>(manner)];
}

std::optional<Manner> manner_of(std::string_view name) {
  for (const Manner manner : kManners)
    if (name == to_string(manner)) return manner;
  return std::nullopt;
}

std::uint64_t extremes_count() { return fields().count * kExtremes; }

std::string run_case(Manner manner, std::uint64_t seed, const std::string& name, Progress& progress) {
  progress.seed = seed;
  Dice dice(seed * 8 + static_cast<std::uint64_t>(manner));
  if (manner == Manner::copies) return run_copies(dice, progress);
  const LiveCopy live(name, sound_image());
  Corrupter corrupter(fields(), live.base());
  Operations operations(name, dice, progress);
  switch (manner) {
    case Manner::before:
      strike(corrupter, dice, progress);
      operations.open();
      work(operations, dice, 20);
      break;
    case Manner::under:
      operations.open();
      if (dice.one_in(4))
        if (std::string wrong = somebody_is_killed(name, dice); !wrong.empty()) return wrong;
      for (int i = 0; i < 3; ++i) {
        strike(corrupter, dice, progress);
        for (std::uint64_t left = dice.below(15); left > 0; --left) operations.step();
      }
      work(operations, dice, 10);
      break;
    case Manner::extremes: {
      std::uint64_t number = seed / kExtremes % fields().count;
      const Field* field = nullptr;
      for (const auto& [called, list] : fields().by_name) {
        if (number < list.size()) {
          field = &list[number];
          break;
        }
        number -= list.size();
      }
      const bool first = dice.one_in(2);
      if (!first) operations.open();
      const std::uint64_t value = extreme(*field, corrupter.load(*field), seed % kExtremes);
      corrupter.store(*field, value);
      std::snprintf(progress.story, sizeof progress.story, "byte %llu: 0x%llx", static_cast<unsigned long long>(field->offset),
                    static_cast<unsigned long long>(value));
      if (first) operations.open();
      work(operations, dice, 15);
      break;
    }
    case Manner::meanwhile: {
      const bool first = dice.one_in(4);
      if (!first) operations.open();
      const std::uint64_t theirs = dice.word();
      const Peer peer([&] { scribble(corrupter, theirs); });
      if (first) operations.open();
      work(operations, dice, 60);
      break;
    }
    case Manner::flicker: {
      operations.open();
      if (dice.one_in(2))
        if (std::string wrong = somebody_is_killed(name, dice); !wrong.empty()) return wrong;
      const Field& field = corrupter.any_field(dice);
      const std::uint64_t theirs = dice.word();
      std::snprintf(progress.story, sizeof progress.story, "byte %llu flickers", static_cast<unsigned long long>(field.offset));
      const Peer peer([&] { flicker(corrupter, field, theirs); });
      work(operations, dice, 60);
      break;
    }
    case Manner::programs:
      strike(corrupter, dice, progress);
      for (int i = 0; i < 3; ++i)
        if (std::string wrong = run_programs(name, dice, progress); !wrong.empty()) return wrong;
      break;
    case Manner::copies:
      break;
  }
  return {};
}

}  // namespace hostile
