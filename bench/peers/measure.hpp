// The three measurements that every peer goes through. Each takes the hardware floor before and after, between
// the same two workers, so that a ratio holds however the machine drifts.
#pragma once

#include <benchmark/benchmark.h>

#include <atomic>
#include <memory>
#include <string>

#include "harness/crew.hpp"
#include "harness/floor.hpp"
#include "harness/histogram.hpp"
#include "harness/payload.hpp"
#include "harness/shared_page.hpp"
#include "peers/channel.hpp"

namespace bench {

/// Gives the row its times: one iteration is one operation.
void report_latency(benchmark::State& state, const Histogram& times, const Histogram& floor, double tick_ns);
/// `messages` in `seconds`, of `bytes` each.
void report_rate(benchmark::State& state, std::uint64_t messages, double seconds, std::size_t bytes,
                 const Histogram& floor, double tick_ns);
/// The row has no result, and this is why.
void report_missing(benchmark::State& state, const std::string& why);

/// Which CPU worker `index` of a row gets; throws where there are fewer than two.
int cpu_of(unsigned index);

struct LatencyPage {
  Histogram times;
  Histogram floor_times;
  Floor floor;
  double tick_ns = 1;
  bool sound = true;
};

/// Round trips between two workers. `pause_ns` is what each side lets pass before it answers: long enough, and
/// the other side sleeps by then, where it sleeps at all; the pauses are not part of the result.
template <template <std::size_t> class Peer, std::size_t Bytes>
void measure_round_trips(benchmark::State& state, std::int64_t pause_ns) {
  using Channel = Peer<Bytes>;
  try {
    Shared<LatencyPage> page;
    Channel there(ChannelSpec{});
    Channel back(ChannelSpec{});
    Crew crew(Channel::place);
    crew.add(cpu_of(0), [&] {
      typename Channel::Receiver in(back, 0);
      crew.meet();
      typename Channel::Sender out(there, 0);
      crew.meet();
      page->floor.ask(page->floor_times);
      const TickLength tick;
      const std::int64_t start = shmq::base::monotonic_ns();
      const auto burst = static_cast<std::int64_t>(settings().burst_ms * 1e6);
      const std::int64_t warm = start + burst / 5;
      const std::int64_t end = warm + burst;
      std::int64_t now = start;
      bool measured = false;
      for (std::uint64_t stamp = 1; now < end || page->times.count() < 2; ++stamp) {
        if (pause_ns != 0) {
          const std::int64_t until = shmq::base::monotonic_ns() + pause_ns;
          while (shmq::base::monotonic_ns() < until) shmq::base::cpu_relax();
        }
        const std::uint64_t asked = ticks();
        out.send([stamp](void* room) { write_payload<Bytes>(room, stamp); });
        std::uint64_t answer = 0;
        in.receive([&](const void* payload) { answer = read_payload<Bytes>(payload, page->sound); });
        const std::uint64_t took = ticks() - asked;
        if (answer != stamp) page->sound = false;
        if (measured) page->times.add(took);
        if (stamp % 16 == 0 || pause_ns != 0) {
          now = shmq::base::monotonic_ns();
          measured = now >= warm;
        }
      }
      page->tick_ns = tick.ns();
      out.finish(1);
      page->floor.ask(page->floor_times);
      crew.meet();  // nobody closes an end that the other still reads
    });
    crew.add(cpu_of(1), [&] {
      typename Channel::Receiver in(there, 0);
      crew.meet();
      typename Channel::Sender out(back, 0);
      crew.meet();
      page->floor.answer();
      for (std::uint64_t stamp = 0; stamp != kEnd;) {
        in.receive([&](const void* payload) { stamp = read_payload<Bytes>(payload, page->sound); });
        if (stamp == kEnd) break;
        if (pause_ns != 0) {
          const std::int64_t until = shmq::base::monotonic_ns() + pause_ns;
          while (shmq::base::monotonic_ns() < until) shmq::base::cpu_relax();
        }
        out.send([stamp](void* room) { write_payload<Bytes>(room, stamp); });
      }
      page->floor.answer();
      crew.meet();
    });
    crew.run();
    if (!page->sound) throw std::runtime_error("what was received is not what was sent");
    if (pause_ns != 0) {
      // The far side's pause lies within the time that was taken.
      state.counters["far_pause_ns"] = static_cast<double>(pause_ns);
    }
    report_latency(state, page->times, page->floor_times, page->tick_ns);
  } catch (const std::exception& error) {
    report_missing(state, error.what());
  }
}

struct ThroughputPage {
  Histogram floor_times;
  Floor floor;
  double tick_ns = 1;
  std::atomic<unsigned> producing{0};
  std::atomic<std::uint64_t> received{0};
  std::atomic<std::int64_t> started_ns{0};
  std::atomic<std::int64_t> ended_ns{0};
  std::atomic<bool> sound{true};
};

/// One way, from `producers` workers to `consumers`. Counted is what was received and released, from the start
/// until the last consumer has its end.
template <template <std::size_t> class Peer, std::size_t Bytes>
void measure_throughput(benchmark::State& state, unsigned producers, unsigned consumers) {
  using Channel = Peer<Bytes>;
  try {
    Shared<ThroughputPage> page;
    const unsigned workers = producers + consumers;
    Channel channel(ChannelSpec{producers, consumers, workers > settings().cpus.size()});
    page->producing = producers;
    // The floor is taken between producer 0 and the next worker, which runs on another CPU.
    const unsigned answers = 1;
    Crew crew(Channel::place);
    for (unsigned i = 0; i < consumers; ++i)
      crew.add(cpu_of(producers + i), [&, i] {
        typename Channel::Receiver in(channel, i);
        crew.meet();
        crew.meet();
        if (producers + i == answers) page->floor.answer();
        crew.meet();
        std::uint64_t received = 0;
        std::uint64_t ends = 0;
        bool sound = true;
        while (ends == 0)
          received += in.receive([&](const void* payload) { ends += read_payload<Bytes>(payload, sound) == kEnd; });
        const std::int64_t now = shmq::base::monotonic_ns();
        for (std::int64_t latest = page->ended_ns; latest < now && !page->ended_ns.compare_exchange_weak(latest, now);) {
        }
        page->received += received - ends;
        if (!sound) page->sound = false;
        crew.meet();
        if (producers + i == answers) page->floor.answer();
        crew.meet();
      });
    for (unsigned i = 0; i < producers; ++i)
      crew.add(cpu_of(i), [&, i] {
        crew.meet();
        typename Channel::Sender out(channel, i);
        crew.meet();
        if (i == 0) page->floor.ask(page->floor_times);
        if (i == answers) page->floor.answer();
        crew.meet();
        const TickLength tick;
        const std::int64_t start = shmq::base::monotonic_ns();
        std::int64_t none = 0;
        page->started_ns.compare_exchange_strong(none, start);
        const std::int64_t end = start + static_cast<std::int64_t>(settings().burst_ms * 1e6);
        std::uint64_t stamp = std::uint64_t{i} << 48;
        do {
          for (int k = 0; k < 64; ++k, ++stamp)
            out.send([stamp](void* room) { write_payload<Bytes>(room, stamp); });
        } while (shmq::base::monotonic_ns() < end);
        out.finish(0);
        if (page->producing.fetch_sub(1) == 1) out.finish(consumers);
        if (i == 0) page->tick_ns = tick.ns();
        crew.meet();
        if (i == 0) page->floor.ask(page->floor_times);
        if (i == answers) page->floor.answer();
        crew.meet();
      });
    crew.run();
    if (!page->sound) throw std::runtime_error("what was received is not what was sent");
    report_rate(state, page->received, static_cast<double>(page->ended_ns - page->started_ns) * 1e-9, Bytes,
                page->floor_times, page->tick_ns);
  } catch (const std::exception& error) {
    report_missing(state, error.what());
  }
}

}  // namespace bench
