// Hostile bytes in a task table, and every operation on it: an error or wrong content is fine; a crash, a hang, an access
// outside the mapping or what a sanitizer reports is not. Each case runs in a process of its own.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "dice.hpp"
#include "shmq/inspect.hpp"
#include "shmq/layout/key_index.hpp"
#include "shmq/layout/task_table.hpp"
#include "shmq/shmq.hpp"
#include "watch.hpp"

namespace hostile {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kKeys = 8;

/// The segment's file, as somebody has it mapped who keeps to nothing.
class Bytes {
 public:
  explicit Bytes(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    struct stat file {};
    if (fd < 0 || ::fstat(fd, &file) != 0) std::abort();
    words_ = static_cast<std::size_t>(file.st_size) / 8;
    map_ = static_cast<volatile std::uint64_t*>(::mmap(nullptr, words_ * 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    ::close(fd);
    for (std::size_t i = 0; i < words_; ++i)
      if (map_[i] == shmq::layout::kTaskTableMagic) table_ = i;
    table_words_ = map_[table_ + offsetof(shmq::layout::TaskTableHeader, size_bytes) / 8] / 8;
    keys_ = table_ + map_[table_ + offsetof(shmq::layout::TaskTableHeader, keys_offset) / 8] / 8;
  }

  void strike(Dice& dice) {
    std::size_t at = 0;
    switch (dice.below(6)) {
      case 2:
        return strike_keys(dice);
      case 0:
        at = table_ + dice.below(sizeof(shmq::layout::TaskTableHeader) / 8);
        break;
      case 1:
        at = dice.below(words_);
        break;
      default:
        at = table_ + dice.below(table_words_);
    }
    strike(at % words_, dice);
  }

 private:
  /// The index of keys, with what might be there: any task in any cell, in a bucket that is idle or in which any cell is
  /// being written.
  void strike_keys(Dice& dice) {
    namespace layout = shmq::layout;
    constexpr std::size_t words = sizeof(layout::KeyBucket) / 8 << layout::key_buckets_log2(kKeys);
    const std::size_t at = keys_ + dice.below(words);
    const std::uint64_t index = dice.below(4) == 0 ? dice.below(1u << 24) : dice.below(80);
    const std::uint64_t reference = layout::key_reference(dice.below(40) << 24 | index);
    switch (dice.below(4)) {
      case 0: map_[at] = layout::key_pending(reference, static_cast<unsigned>(dice.below(7))); break;
      case 1: map_[at] = layout::key_settled(layout::key_pending(reference, 0)); break;
      case 2: map_[at] = layout::key_cell(reference); break;
      default: strike(at, dice);
    }
  }
  void strike(std::size_t at, Dice& dice) {
    const std::uint64_t old = map_[at];
    switch (dice.below(9)) {
      case 0: map_[at] = 0; break;
      case 1: map_[at] = ~std::uint64_t{0}; break;
      case 2: map_[at] = old + 1; break;
      case 3: map_[at] = old - 1; break;
      case 4: map_[at] = old ^ (std::uint64_t{1} << dice.below(64)); break;
      case 5: map_[at] = std::uint64_t{1} << 63; break;
      case 6: map_[at] = dice.below(20); break;
      case 7: map_[at] = map_[(at + 1 + dice.below(40)) % words_]; break;
      default: map_[at] = (dice.below(UINT32_MAX) << 32) | dice.below(UINT32_MAX);
    }
  }

  volatile std::uint64_t* map_ = nullptr;
  std::size_t words_ = 0, table_ = 0, table_words_ = 0, keys_ = 0;
};

shmq::TaskOptions some_options(Dice& dice) {
  static constexpr const char* kNames[] = {"", "a", "resize", "a name that is longer than eight"};
  shmq::TaskOptions o;
  o.name = kNames[dice.below(std::size(kNames))];
  o.priority = static_cast<std::uint8_t>(dice.below(256));
  o.keep = dice.below(3) != 0;
  o.hold = dice.below(6) == 0;
  if (dice.below(3) == 0) o.delay = 1us * dice.below(300);
  if (dice.below(4) == 0) o.expires = 1us * dice.below(3000);
  if (dice.below(3) == 0) o.deadline = 1ms * dice.below(30);
  if (dice.below(4) == 0) o.run_limit = 1us * dice.below(3000);
  if (dice.below(5) == 0) o.keep_for = 1us * dice.below(3000);
  if (dice.below(4) == 0) o.backoff.first = 1ms;
  if (dice.below(6) == 0) o.not_before = std::chrono::system_clock::now() + 1ms;
  if (dice.below(3) == 0) o.key = kNames[1 + dice.below(3)];
  return o;
}

/// One of everything that there is, in an order that the dice decide. Nothing is expected of what it answers.
class Hands {
 public:
  Hands(shmq::TaskTable table, Dice& dice, Progress& progress)
      : table_(std::move(table)), dice_(dice), progress_(progress), worker_(table_.worker({.batch = 2})) {}

  void step() {
    const auto enter = [&](const char* what) { progress_.operation = what; };
    switch (dice_.below(16)) {
      case 0: case 1: case 2: {
        enter("submit");
        const std::vector<std::byte> payload(dice_.below(3) * 60);
        const shmq::Submitted submitted = table_.submit(payload, some_options(dice_), 2ms);
        if (submitted) ids_.push_back(submitted.id);
        break;
      }
      case 3: case 4: case 5: {
        enter("next");
        shmq::Run run = dice_.below(2) ? worker_.try_next() : worker_.next(2ms);
        if (run) runs_.push_back(std::move(run));
        break;
      }
      case 6: case 7: case 8: end(); break;
      case 9: {
        enter("looks");
        table_.for_each([&](const shmq::TaskInfo& info) { ids_.push_back(info.id); });
        (void)table_.counts();
        (void)table_.statistics_by_name();
        (void)table_.statistics_by_worker();
        break;
      }
      case 10: {
        enter("waits");
        std::size_t which = 0;
        (void)table_.wait(id(), 2ms);
        (void)table_.wait_any(ids_, which, 1ms);
        (void)table_.result(id());
        (void)table_.info(id());
        break;
      }
      case 11: enter("cancel"), (void)table_.cancel(id()); break;
      case 12: enter("hold"), (void)(dice_.below(2) ? table_.hold(id()) : table_.unhold(id())); break;
      case 13: enter("reprioritise"), (void)table_.reprioritise(id(), 3); break;
      case 14: enter("kick, remove"), (void)table_.kick_all(), (void)table_.remove(id()); break;
      default:
        enter("purge, keep_max"), (void)table_.purge_finished(), table_.set_keep_max(static_cast<std::uint32_t>(dice_.below(4)));
    }
    if (ids_.size() > 64) ids_.resize(32);
  }

 private:
  void end() {
    if (runs_.empty()) return;
    progress_.operation = "end of a run";
    shmq::Run run = std::move(runs_.back());
    runs_.pop_back();
    (void)run.name(), (void)run.payload().size(), (void)run.heartbeat(), (void)run.cancelled();
    (void)run.progress(7, "a note");
    const std::vector<std::byte> result(dice_.below(3) * 60);
    switch (dice_.below(5)) {
      case 0: (void)run.fail("why"); break;
      case 1: (void)run.crash(11, true, "why"); break;
      case 2: (void)run.release(); break;
      case 3: (void)run.cancel(); break;
      default: (void)run.done(result);
    }
  }
  shmq::TaskId id() { return ids_.empty() ? dice_.below(UINT32_MAX) : ids_[dice_.below(ids_.size())]; }

  shmq::TaskTable table_;
  Dice& dice_;
  Progress& progress_;
  shmq::TaskWorker worker_;
  std::vector<shmq::Run> runs_;
  std::vector<shmq::TaskId> ids_;
};

std::string table_case(std::uint64_t seed, const std::string& name, Progress& progress) {
  Dice dice(seed);
  shmq::SegmentOptions options;
  options.size_bytes = 256 << 10;
  options.blocks = {{256, 8}};
  options.participants_max = 4;
  options.objects_max = 4;
  shmq::Segment segment = shmq::Segment::create(name, options).value();
  const auto policy = static_cast<shmq::TaskPolicy>(dice.below(3));
  shmq::TaskTable table =
      segment.task_table("t", {.capacity = static_cast<std::uint32_t>(1 + dice.below(70)), .policy = policy, .names = 2, .keys = kKeys}).value();
  Bytes bytes("/dev/shm/shmq." + name);
  Hands hands(table, dice, progress);
  for (std::uint64_t i = 10 + dice.below(20); i > 0; --i) hands.step();
  for (int round = 0; round < 4; ++round) {
    for (std::uint64_t i = 1 + dice.below(6); i > 0; --i) bytes.strike(dice);
    for (std::uint64_t i = 5 + dice.below(15); i > 0; --i) hands.step();
    progress.operation = "reap, inspect, open";
    segment.reap();
    (void)shmq::inspect_segment(name);
    if (const auto again = segment.open_task_table("t")) (void)again->statistics();
  }
  progress.operation = "the end";
  return {};
}

TEST(HostileTables, LetEveryOperationEnd) {
  const char* const asked = std::getenv("SHMQ_LONG");
  const std::uint64_t count = asked != nullptr && std::string(asked) == "1" ? 60'000 : 60;
  const char* const from = std::getenv("SHMQ_HOSTILE_FROM");
  const std::uint64_t first = from != nullptr ? std::strtoull(from, nullptr, 10) : 0;
  int bad = 0;
  for (std::uint64_t seed = first; seed < first + count && bad < 5; ++seed) {
    const std::string name = "hostile-table-" + std::to_string(::getpid()) + "-" + std::to_string(seed);
    const std::string wrong = watch([&](Progress& progress) { return table_case(seed, name, progress); });
    ::unlink(("/dev/shm/shmq." + name).c_str());
    if (wrong.empty()) continue;
    ++bad;
    ADD_FAILURE() << "seed " << seed << ": " << wrong;
  }
}

}  // namespace
}  // namespace hostile
