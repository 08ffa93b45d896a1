#include "gate.hpp"

#include <algorithm>
#include <cstdio>

#include "failure.hpp"
#include "rtt.hpp"
#include "throughput.hpp"
#include "upkeep.hpp"
#include "wake.hpp"

namespace shmq::bench {

namespace {

constexpr const char* kSiblings = "the two processors were SMT siblings all the time";

class Checker {
 public:
  explicit Checker(Gate& gate) : gate_(gate) {}

  void at_most(const std::string& id, const std::string& field, double target, const std::string& why = "") {
    check(id, field, true, target, why);
  }
  void at_least(const std::string& id, const std::string& field, double target, const std::string& why = "") {
    check(id, field, false, target, why);
  }

 private:
  void check(const std::string& id, const std::string& field, bool at_most, double target, std::string why) {
    Check check{id, field, at_most, target, Verdict::unknown, 0, 0, 0, std::move(why)};
    for (const Row& row : gate_.rows) {
      if (row.id != id) continue;
      const auto measured = row.number(field);
      if (row.find("smt_only") != nullptr) check.why = kSiblings;
      if (const auto reason = row.text("why"); reason && !measured) check.why = *reason;
      if (!measured || !check.why.empty()) continue;
      check.measured = *measured;
      check.least = row.number(field + "_min").value_or(*measured);
      check.greatest = row.number(field + "_max").value_or(*measured);
      check.verdict = (at_most ? *measured <= target : *measured >= target) ? Verdict::holds : Verdict::fails;
    }
    if (check.verdict == Verdict::unknown && check.why.empty()) check.why = "it was not measured";
    gate_.checks.push_back(std::move(check));
  }

  Gate& gate_;
};

void add(std::vector<Row>& rows, std::vector<Row> more) {
  rows.insert(rows.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

bool has(const Settings& settings, Kind kind) {
  return std::find(settings.kinds.begin(), settings.kinds.end(), kind) != settings.kinds.end();
}

void measure_round_trips(const Settings& base, Gate& gate, Progress& progress) {
  Settings settings = base;
  settings.wait = Wait::spin;
  settings.sizes = {8, 48, 64, 1024};
  add(gate.rows, run_rtt(settings, progress));
  Checker check(gate);
  for (const Kind kind : base.kinds) {
    const std::string rtt = std::string("rtt/") + to_string(kind) + "/";
    const bool spsc = kind == Kind::spsc;
    for (const char* bytes : {"8", "48"}) check.at_most(rtt + bytes, "vs_floor", spsc ? 1.10 : 1.15);
    check.at_most(rtt + "48", "p99_vs_floor", 2.5);
    check.at_most(rtt + "64", "vs_floor", spsc ? 1.20 : 1.35);
    check.at_most(rtt + "1024", "vs_plain_ring", 1.0);
  }
}

void measure_sleepers(const Settings& base, Gate& gate, Progress& progress) {
  Settings settings = base;
  settings.wait = Wait::spin_futex;
  settings.sizes = {8};
  std::vector<Row> rows = run_wake(settings, progress);
  add(gate.rows, rows);
  for (const Row& row : rows) {
    const bool slept = row.number("sleeps_per_round").value_or(0) >= 0.9;
    Checker(gate).at_most(row.id, "vs_futex", 1.15,
                          slept ? "" : "the two sides did not sleep in every round");
  }
}

void measure_one_to_one(const Settings& base, Gate& gate, Progress& progress) {
  Settings settings = base;
  settings.wait = Wait::spin;
  Checker check(gate);
  settings.sizes = {8};
  settings.batches = {1, 16};
  add(gate.rows, run_throughput(settings, progress));
  settings.sizes = {64, 1024, 65536, 1u << 20};
  settings.batches = {1};
  add(gate.rows, run_throughput(settings, progress));
  if (has(base, Kind::mpmc)) {
    for (const char* bytes : {"8", "64", "1024"})
      check.at_least(std::string("throughput/mpmc/") + bytes, "vs_plain_ring", 0.9);
  }
  if (has(base, Kind::spsc)) {
    for (const char* bytes : {"8", "64"})
      check.at_least(std::string("throughput/spsc/") + bytes, "vs_plain_ring", 1.5);
    for (const char* bytes : {"1024", "65536", "1048576"})
      check.at_least(std::string("throughput/spsc/") + bytes, "vs_plain_ring", 0.95);
  }
  for (const Kind kind : base.kinds)
    check.at_least(std::string("throughput/") + to_string(kind) + "/8/batch16", "vs_singles", 2.0);
}

/// Two cores, however many there are: what is asked is how more roles than cores do.
Settings on_two_cores(const Settings& base, unsigned each) {
  Settings settings = base;
  settings.kinds = {Kind::mpmc};
  settings.cpus.resize(2);
  settings.wait = Wait::spin_yield;
  settings.producers = settings.consumers = each;
  return settings;
}

void measure_many(const Settings& base, Gate& gate, Progress& progress) {
  Settings settings = on_two_cores(base, 2);
  settings.sizes = {8, 64, 1024, 65536};
  settings.batches = {1, 16};
  add(gate.rows, run_throughput(settings, progress));
  Checker check(gate);
  for (const std::size_t bytes : settings.sizes) {
    const std::string id = "throughput/mpmc/" + std::to_string(bytes) + "/2x2";
    check.at_least(id, "vs_boost_mq", 1.0);
    if (travels_inline(bytes)) check.at_least(id + "/batch16", "vs_boost_mq", 1.5);
  }
}

/// 4x4 beside 2x2, in turn.
void measure_more(const Settings& base, Gate& gate, Progress& progress) {
  std::vector<double> rates, ratios;
  for (unsigned repeat = 0; repeat < base.repeats; ++repeat) {
    double rate[2] = {};
    for (const unsigned each : {2u, 4u}) {
      Settings settings = on_two_cores(base, each);
      settings.sizes = {64};
      settings.repeats = 1;
      const std::vector<Row> rows = run_throughput(settings, progress);
      rate[each == 4] = rows.back().number("msgs_per_s").value_or(0);
    }
    rates.push_back(rate[1]);
    if (rate[0] > 0) ratios.push_back(rate[1] / rate[0]);
  }
  Row row{"throughput/mpmc/64/4x4", {}};
  row.set("msgs_per_s", spread_of(rates));
  row.set("vs_2x2", spread_of(ratios));
  gate.rows.push_back(std::move(row));
  Checker(gate).at_least("throughput/mpmc/64/4x4", "vs_2x2", 0.5);
}

void measure_costs(const Settings& settings, Gate& gate, Progress& progress) {
  Checker check(gate);
  for (const Kind kind : settings.kinds) {
    std::string why;
    const Row row = run_costs(settings, kind, progress, why);
    gate.rows.push_back(row);
    for (const char* field : {"system_calls_per_message", "allocations_per_message"})
      check.at_most(row.id, field, 0.001, row.find(field) == nullptr ? why : "");
  }
  gate.rows.push_back(run_attach(settings, progress));
  check.at_most("costs/attach", "attach_ns", 2e6);
  std::string why;
  gate.rows.push_back(run_stat_list(settings, progress, why));
  check.at_most("costs/stat-list", "list_ns", 20e6, why);
}

std::string number(double value) {
  if (value >= 1000) return short_number(value);
  char text[32];
  std::snprintf(text, sizeof text, value != 0 && value < 0.01 ? "%.2g" : "%.2f", value);
  return text;
}

const char* to_string(Verdict verdict) {
  return verdict == Verdict::holds   ? "holds"
         : verdict == Verdict::fails ? "does not hold"
                                     : "not measurable here";
}

}  // namespace

bool Gate::holds() const {
  return std::all_of(checks.begin(), checks.end(),
                     [](const Check& c) { return c.verdict == Verdict::holds; });
}

Gate run_gate(const Settings& settings, Progress& progress) {
  if (!settings.two_cpus())
    throw cli::Failure{
        cli::kFailed,
        "the targets are about two processors, and this process may use one; see taskset -pc $$"};
  Gate gate;
  measure_round_trips(settings, gate, progress);
  measure_sleepers(settings, gate, progress);
  measure_one_to_one(settings, gate, progress);
  if (has(settings, Kind::mpmc)) measure_many(settings, gate, progress);
  if (has(settings, Kind::mpmc)) measure_more(settings, gate, progress);
  measure_costs(settings, gate, progress);
  progress.clear();
  return gate;
}

std::string gate_text(const Gate& gate) {
  std::string text;
  std::size_t held = 0;
  for (const Check& check : gate.checks) {
    held += check.verdict == Verdict::holds;
    std::string line = to_string(check.verdict);
    line.resize(21, ' ');
    line += check.id + " " + check.field;
    line.resize(std::max<std::size_t>(line.size() + 1, 70), ' ');
    if (check.verdict == Verdict::unknown)
      line += check.why;
    else
      line += number(check.measured) + " (" + number(check.least) + "-" + number(check.greatest) + ")";
    text += line + ", target at " + (check.at_most ? "most " : "least ") + number(check.target) + "\n";
  }
  text += std::to_string(held) + " of " + std::to_string(gate.checks.size()) + " targets hold\n";
  return text + notes(gate.rows);
}

std::vector<Row> gate_rows(const Gate& gate) {
  std::vector<Row> rows;
  for (const Check& check : gate.checks) {
    Row row{"gate/" + check.id + "/" + check.field, {}};
    row.set("verdict", std::string(to_string(check.verdict)));
    row.set(check.at_most ? "at_most" : "at_least", check.target);
    if (check.verdict == Verdict::unknown) {
      row.set("why", check.why);
    } else {
      row.set("measured", check.measured);
      row.set("measured_min", check.least);
      row.set("measured_max", check.greatest);
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace shmq::bench
