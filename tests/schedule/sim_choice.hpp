#pragma once
// Who decides at a choice point: an exhaustive search, a random walk, or a recorded run.

#include <array>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sim {

inline constexpr unsigned threads_max = 8;

// What a choice point can offer. `value` is a choice inside an operation: hold this store back, read a stale
// value, ...
enum class Pick : std::uint8_t { run, flush, crash, stop, value };

struct Option {
  Pick pick = Pick::run;
  std::uint8_t thread = 0;
  std::uint8_t entry = 0;  // flush: which entry of the thread's buffer; value: which value
};

class Chooser {
 public:
  virtual ~Chooser() = default;
  // Called only with two options or more. `last` is the thread that took the step before this one.
  virtual unsigned choose(std::span<const Option> options, unsigned last) = 0;
  // True where no execution has been before, as far as the chooser knows: only there may states be compared.
  virtual bool on_new_ground() const { return false; }
};

// Depth first: repeats the choices of the execution before it up to the last one that has an untried option.
class DepthFirst final : public Chooser {
 public:
  unsigned choose(std::span<const Option> options, unsigned last) override;
  bool on_new_ground() const override { return depth_ >= path_.size(); }
  bool next_execution();  // false once every option has been tried

 private:
  struct Node {
    std::uint8_t taken;
    std::uint8_t options;
  };
  std::vector<Node> path_;
  std::size_t depth_ = 0;
};

// Uniform steps with a random tendency to stay with one thread, a new tendency for each execution.
class RandomWalk final : public Chooser {
 public:
  void start(std::uint64_t seed);
  unsigned choose(std::span<const Option> options, unsigned last) override;

 private:
  std::minstd_rand random_;
  unsigned switch_percent_ = 50;
  unsigned fault_per_mille_ = 20;
};

// Probabilistic concurrency testing (Burckhardt et al., ASPLOS 2010): threads and store buffers have random
// priorities, the highest that can go on does, and at a few random steps the one that leads falls to the
// bottom.
class Priorities final : public Chooser {
 public:
  void start(std::uint64_t seed, unsigned expected_choices);
  unsigned choose(std::span<const Option> options, unsigned last) override;

 private:
  std::minstd_rand random_;
  std::array<std::uint32_t, 2 * threads_max> priority_{};  // threads, then their buffers
  std::vector<unsigned> drops_;
  unsigned choices_ = 0;
  std::uint32_t lowest_ = 0;
  unsigned fault_per_mille_ = 20;
};

// Repeats a recorded execution and takes the first option where the record ends.
class Recorded final : public Chooser {
 public:
  explicit Recorded(std::vector<std::uint8_t> choices) : choices_(std::move(choices)) {}
  unsigned choose(std::span<const Option> options, unsigned last) override;

 private:
  std::vector<std::uint8_t> choices_;
  std::size_t next_ = 0;
};

// "0*14.2.1": the options taken, run-length encoded. parse gives back what write was given.
std::string write_choices(std::span<const std::uint8_t> choices);
std::vector<std::uint8_t> parse_choices(std::string_view text);

}  // namespace sim
