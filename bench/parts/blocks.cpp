// Blocks of the pool: taken and given back, with the pool empty, and with most of it in other hands.
#include "core/blocks.hpp"

#include <vector>

#include "parts/parts.hpp"

namespace bench {

namespace {

void take_and_give_back(benchmark::State& state, std::uint32_t count, std::uint32_t taken) {
  const std::string name = "shmq-bench-blocks-" + std::to_string(::getpid());
  shmq::SegmentOptions options;
  options.blocks = {{.bytes = 4096, .count = count}};
  auto attachment = shmq::core::Attachment::create(name, options, {});
  if (!attachment) return state.SkipWithError(attachment.error().message().c_str());
  const auto& view = (*attachment)->view();
  shmq::core::BlockHints others;
  for (std::uint32_t i = 0; i < taken; ++i)
    (void)shmq::core::take_block(view, (*attachment)->me(), 4096, others);
  shmq::core::BlockHints hints;
  for (auto _ : state) {
    const auto block = shmq::core::take_block(view, (*attachment)->me(), 4096, hints);
    if (!block) {
      state.SkipWithError("no block is free");
      break;
    }
    shmq::core::give_back_block(view, *block);
  }
  (void)shmq::Segment::remove(name);
}

}  // namespace

void add_block_rows() {
  benchmark::RegisterBenchmark("block/take_and_give_back/of_1024_none_taken",
                               [](benchmark::State& state) { take_and_give_back(state, 1024, 0); });
  benchmark::RegisterBenchmark("block/take_and_give_back/of_1024_all_but_8_taken",
                               [](benchmark::State& state) { take_and_give_back(state, 1024, 1016); });
}

}  // namespace bench
