#include "report.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "json.hpp"
#include "ticks.hpp"

namespace shmq::bench {

namespace {

constexpr double kMillion = 1e6;

std::string printed(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

double tsc_ghz() { return static_cast<double>(tick_clock.step) / tick_clock.ns_per_tick; }

std::string cpus_text(const Settings& settings) {
  std::string text;
  for (const int cpu : settings.cpus) text += (text.empty() ? "" : ",") + std::to_string(cpu);
  return text;
}

bool is_bound(const Row& row, const std::string& name) {
  for (const char* suffix : {"_min", "_max"})
    if (name.ends_with(suffix)) {
      const std::string of = name.substr(0, name.size() - std::char_traits<char>::length(suffix));
      if (row.find(of) != nullptr) return true;
    }
  return false;
}

std::string cell(const Row& row, const std::string& name) {
  const Row::Value* const value = row.find(name);
  if (value == nullptr) return "-";
  if (const auto* text = std::get_if<std::string>(value)) return *text;
  if (const auto* yes = std::get_if<bool>(value)) return *yes ? "yes" : "no";
  if (const auto* whole = std::get_if<std::uint64_t>(value)) return std::to_string(*whole);
  const double number = std::get<double>(*value);
  if (!name.starts_with("vs_") && name.find("_vs_") == std::string::npos && !name.ends_with("_per_round"))
    return short_number(number);
  std::string text = printed("%.2f", number);
  const auto least = row.number(name + "_min"), greatest = row.number(name + "_max");
  if (least && greatest) text += " (" + printed("%.2f", *least) + "-" + printed("%.2f", *greatest) + ")";
  return text;
}

}  // namespace

std::optional<Spread> spread_of(std::vector<double> values) {
  if (values.empty()) return std::nullopt;
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size();
  const double median = n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
  return Spread{median, values.front(), values.back(), n};
}

void Row::set(const std::string& name, const std::optional<Spread>& spread) {
  if (!spread) return;
  set(name, Value(spread->median));
  set(name + "_min", Value(spread->least));
  set(name + "_max", Value(spread->greatest));
}

const Row::Value* Row::find(const std::string& name) const {
  for (const auto& [key, value] : fields)
    if (key == name) return &value;
  return nullptr;
}

std::optional<double> Row::number(const std::string& name) const {
  const Value* const value = find(name);
  if (value == nullptr || !std::holds_alternative<double>(*value)) return std::nullopt;
  return std::get<double>(*value);
}

std::optional<std::string> Row::text(const std::string& name) const {
  const Value* const value = find(name);
  if (value == nullptr || !std::holds_alternative<std::string>(*value)) return std::nullopt;
  return std::get<std::string>(*value);
}

std::string json_document(const Machine& machine, const Settings& settings, const std::string& command,
                          const std::vector<Row>& rows) {
  stat::Json json;
  json.open('{').member("schema", 1).member("command", command);
  json.key("machine").open('{');
  json.member("cpu", machine.cpu).member("cores", machine.cores).member("kernel", machine.kernel);
  json.member("compiler", machine.compiler).member("virtual", machine.hypervisor == "yes");
  json.member("placement", "cpus " + cpus_text(settings) + ", role i on the i-th, round and round");
  json.member("clock", tick_clock.tsc ? "tsc" : "CLOCK_MONOTONIC");
  if (tick_clock.tsc) json.member("tsc_ghz", tsc_ghz()).member("tsc_step_ns", tick_clock.ns_per_tick);
  json.member("repeats", settings.repeats).member("sample_ns", settings.sample_ns);
  json.member("smt_below_ns", settings.smt_below_ns).member("shmq", SHMQ_VERSION).close('}');
  json.key("results").open('[');
  for (const Row& row : rows) {
    json.open('{').member("id", row.id);
    for (const auto& [name, value] : row.fields)
      std::visit([&, &key = name](const auto& content) { json.member(key, content); }, value);
    json.close('}');
  }
  return json.close(']').close('}').text() + "\n";
}

std::string table(const std::vector<Row>& rows) {
  // One table for each run of rows with the same columns.
  std::string text;
  for (std::size_t from = 0; from < rows.size();) {
    const auto family = [](const Row& row) {
      const std::size_t slash = row.id.find('/');
      // The parts of tasks have little in common.
      return row.id.substr(0, row.id.starts_with("tasks/") ? row.id.find('/', slash + 1) : slash);
    };
    std::size_t to = from;
    std::vector<std::string> columns;
    for (; to < rows.size() && family(rows[to]) == family(rows[from]); ++to)
      for (const auto& [name, value] : rows[to].fields)
        if (name != "why" && name != "skipped" && !is_bound(rows[to], name) && std::find(columns.begin(), columns.end(), name) == columns.end())
          columns.push_back(name);
    std::vector<std::vector<std::string>> lines(1, {""});
    lines[0].insert(lines[0].end(), columns.begin(), columns.end());
    for (std::size_t i = from; i < to; ++i) {
      std::vector<std::string> line = {rows[i].id};
      for (const std::string& column : columns) line.push_back(cell(rows[i], column));
      lines.push_back(std::move(line));
    }
    for (const auto& line : lines) {
      for (std::size_t c = 0; c < line.size(); ++c) {
        std::size_t width = 0;
        for (const auto& other : lines) width = std::max(width, other[c].size());
        const std::string pad(width - line[c].size(), ' ');
        text += c == 0 ? line[c] + pad : "  " + pad + line[c];
      }
      while (text.ends_with(' ')) text.pop_back();
      text += '\n';
    }
    text += '\n';
    from = to;
  }
  return text;
}

std::string notes(const std::vector<Row>& rows) {
  std::string text;
  for (const Row& row : rows)
    if (row.id.starts_with("throughput/mpmc/") && row.find("vs_plain_ring") != nullptr) {
      text += "vs_plain_ring of throughput/mpmc/...: over the Vyukov ring, the plain ring for many\n";
      break;
    }
  return text;
}

std::string machine_text(const Machine& machine, const Settings& settings) {
  return machine.cpu + ", " + std::to_string(machine.cores) + (machine.cores == 1 ? " core" : " cores") +
         (machine.hypervisor == "yes" ? " (virtual)" : "") + "; " + machine.kernel + "; " + machine.compiler +
         "; cpus " + cpus_text(settings) + "; clock " +
         (tick_clock.tsc ? "tsc " + printed("%.2f", tsc_ghz()) + " GHz in steps of " +
                               printed("%.2g", tick_clock.ns_per_tick) + " ns"
                         : "CLOCK_MONOTONIC") +
         "\n" + std::to_string(settings.repeats) + " repeats, medians (least-greatest)\n\n";
}

std::string short_number(double value) {
  if (value >= 1e3 * kMillion) return printed("%.2f G", value / (1e3 * kMillion));
  if (value >= kMillion) return printed("%.2f M", value / kMillion);
  if (value >= 1e4) return printed("%.1f k", value / 1e3);
  return printed(value >= 100 ? "%.0f" : "%.1f", value);
}

}  // namespace shmq::bench
