// shmq-hostile: the campaign, and single cases again.
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>
#include <vector>

#include "watch.hpp"

namespace {

constexpr const char* kUsage =
    "Usage: shmq-hostile [--seconds N] [--from SEED] [--manner MANNER]...   cases of all manners until the time is over\n"
    "       shmq-hostile --case MANNER:SEED [--here]                        one case; --here: without a process of its own\n"
    "Manners: before, under, extremes, meanwhile, flicker, copies, programs.\n"
    "Exit status: 0 nothing found; 1 findings, each with the way to see it again; 2 wrong usage.\n";

int one(const std::string& text, bool here) {
  const std::size_t colon = text.find(':');
  const auto manner = hostile::manner_of(text.substr(0, colon));
  if (!manner || colon == std::string::npos) {
    std::cerr << kUsage;
    return 2;
  }
  const std::uint64_t seed = std::strtoull(text.c_str() + colon + 1, nullptr, 10);
  hostile::Progress progress;
  const std::string wrong = here ? hostile::run_case(*manner, seed, "hostile-here", progress) : hostile::watch_case(*manner, seed);
  std::cout << (wrong.empty() ? "nothing" : wrong) << '\n';
  return wrong.empty() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  using clock = std::chrono::steady_clock;
  long seconds = 60;
  std::uint64_t seed = 1'000'000;
  std::string only;
  bool here = false;
  std::vector<hostile::Manner> manners;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const auto next = [&] { return i + 1 < argc ? argv[++i] : ""; };
    if (word == "--seconds")
      seconds = std::atol(next());
    else if (word == "--from")
      seed = std::strtoull(next(), nullptr, 10);
    else if (word == "--case")
      only = next();
    else if (word == "--here")
      here = true;
    else if (const auto manner = word == "--manner" ? hostile::manner_of(next()) : std::nullopt)
      manners.push_back(*manner);
    else {
      std::cerr << kUsage;
      return 2;
    }
  }
  if (!only.empty()) return one(only, here);
  if (manners.empty()) manners.assign(std::begin(hostile::kManners), std::end(hostile::kManners));

  const auto end = clock::now() + std::chrono::seconds(seconds);
  std::uint64_t cases = 0, findings = 0;
  for (; clock::now() < end; ++seed)
    for (const hostile::Manner manner : manners) {
      // The dear ones less often.
      if (manner == hostile::Manner::programs && seed % 16 != 0) continue;
      ++cases;
      const std::string wrong = hostile::watch_case(manner, seed);
      if (wrong.empty()) continue;
      ++findings;
      std::cout << wrong << std::endl;
    }
  std::cout << cases << " cases up to seed " << seed << ", " << findings << " findings\n";
  return findings == 0 ? 0 : 1;
}
