#include "sim_choice.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <stdexcept>

namespace sim {
namespace {
// No exception: this runs on a fiber, below code that may be noexcept.
[[noreturn]] void die(const char* why) {
  std::fprintf(stderr, "schedule explorer: %s\n", why);
  std::abort();
}

unsigned count_faults(std::span<const Option> options) {
  return static_cast<unsigned>(std::count_if(options.begin(), options.end(), [](const Option& option) {
    return option.pick == Pick::crash || option.pick == Pick::stop;
  }));
}
}  // namespace

unsigned DepthFirst::choose(std::span<const Option> options, unsigned /*last*/) {
  if (depth_ < path_.size()) {
    const Node& node = path_[depth_++];
    if (node.options != options.size()) die("the scenario is not deterministic");
    return node.taken;
  }
  path_.push_back({0, static_cast<std::uint8_t>(options.size())});
  ++depth_;
  return 0;
}

bool DepthFirst::next_execution() {
  depth_ = 0;
  while (!path_.empty() && path_.back().taken + 1 == path_.back().options) path_.pop_back();
  if (path_.empty()) return false;
  ++path_.back().taken;
  return true;
}

void RandomWalk::start(std::uint64_t seed) {
  random_.seed(static_cast<std::minstd_rand::result_type>(seed * 2654435761u + 1));
  random_.discard(2);
  constexpr std::array<unsigned, 4> tendencies{5, 15, 40, 80};
  switch_percent_ = tendencies[random_() % tendencies.size()];
  constexpr std::array<unsigned, 3> faults{10, 40, 160};
  fault_per_mille_ = faults[random_() % faults.size()];
}

unsigned RandomWalk::choose(std::span<const Option> options, unsigned last) {
  if (options.front().pick == Pick::value) {
    return random_() % 100 < 70 ? 0 : 1 + static_cast<unsigned>(random_() % (options.size() - 1));
  }
  const unsigned faults = count_faults(options);  // they come last
  if (faults > 0 && random_() % 1000 < fault_per_mille_) {
    return static_cast<unsigned>(options.size() - 1 - random_() % faults);
  }
  const auto usable = static_cast<unsigned>(options.size()) - faults;
  const bool may_stay = options[0].pick == Pick::run && options[0].thread == last;
  if (may_stay && random_() % 100 >= switch_percent_) return 0;
  return static_cast<unsigned>(random_() % usable);
}

void Priorities::start(std::uint64_t seed, unsigned expected_choices) {
  random_.seed(static_cast<std::minstd_rand::result_type>(seed * 2654435761u + 1));
  random_.discard(2);
  std::iota(priority_.begin(), priority_.end(), 1000u);
  std::shuffle(priority_.begin(), priority_.end(), random_);
  lowest_ = 1000;
  choices_ = 0;
  drops_.clear();
  const unsigned drops = static_cast<unsigned>(random_() % 5);
  for (unsigned i = 0; i < drops; ++i) {
    drops_.push_back(static_cast<unsigned>(random_() % std::max(1u, expected_choices)));
  }
  constexpr std::array<unsigned, 3> faults{10, 40, 160};
  fault_per_mille_ = faults[random_() % faults.size()];
}

unsigned Priorities::choose(std::span<const Option> options, unsigned /*last*/) {
  if (options.front().pick == Pick::value) {
    return random_() % 100 < 50 ? 0 : 1 + static_cast<unsigned>(random_() % (options.size() - 1));
  }
  const auto agent = [](const Option& option) {
    return option.thread + (option.pick == Pick::flush ? threads_max : 0u);
  };
  const bool drop = std::find(drops_.begin(), drops_.end(), choices_++) != drops_.end();
  const unsigned faults = count_faults(options);  // they come last
  if (faults > 0 && random_() % 1000 < fault_per_mille_) {
    return static_cast<unsigned>(options.size() - 1 - random_() % faults);
  }
  const auto leader = [&] {
    unsigned best = 0;
    for (unsigned i = 1; i + faults < options.size(); ++i) {
      if (priority_[agent(options[i])] > priority_[agent(options[best])]) best = i;
    }
    return best;
  };
  if (drop) priority_[agent(options[leader()])] = --lowest_;
  return leader();
}

unsigned Recorded::choose(std::span<const Option> options, unsigned /*last*/) {
  const unsigned taken = next_ < choices_.size() ? choices_[next_++] : 0;
  if (taken >= options.size()) die("the recorded choices belong to another scenario");
  return taken;
}

std::string write_choices(std::span<const std::uint8_t> choices) {
  std::string text;
  for (std::size_t i = 0; i < choices.size();) {
    std::size_t same = 1;
    while (i + same < choices.size() && choices[i + same] == choices[i]) ++same;
    if (!text.empty()) text += '.';
    text += std::to_string(choices[i]);
    if (same > 1) text += '*' + std::to_string(same);
    i += same;
  }
  return text;
}

std::vector<std::uint8_t> parse_choices(std::string_view text) {
  std::vector<std::uint8_t> choices;
  const auto number = [&] {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{}) throw std::invalid_argument("not a list of choices: " + std::string(text));
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return value;
  };
  while (!text.empty()) {
    const auto choice = static_cast<std::uint8_t>(number());
    unsigned times = 1;
    if (!text.empty() && text.front() == '*') {
      text.remove_prefix(1);
      times = number();
    }
    choices.insert(choices.end(), times, choice);
    if (!text.empty()) text.remove_prefix(1);
  }
  return choices;
}

}  // namespace sim
