// Results: rows of named numbers, as a table for people and as JSON for programs.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "machine.hpp"
#include "settings.hpp"

namespace shmq::bench {

/// The median of several repeats, with the least and the greatest.
struct Spread {
  double median = 0;
  double least = 0;
  double greatest = 0;
  std::size_t repeats = 0;
};
/// Nothing for no values.
std::optional<Spread> spread_of(std::vector<double> values);

struct Row {
  using Value = std::variant<std::string, double, std::uint64_t, bool>;
  std::string id;
  std::vector<std::pair<std::string, Value>> fields;

  void set(const std::string& name, Value value) { fields.emplace_back(name, std::move(value)); }
  /// NAME, NAME_min and NAME_max; nothing where there is none.
  void set(const std::string& name, const std::optional<Spread>& spread);
  const Value* find(const std::string& name) const;
  std::optional<double> number(const std::string& name) const;
  std::optional<std::string> text(const std::string& name) const;
};

/// {"schema":1,"machine":{…},"results":[…]} and a newline.
std::string json_document(const Machine& machine, const Settings& settings, const std::string& command,
                          const std::vector<Row>& rows);
std::string table(const std::vector<Row>& rows);
/// What a reader of these rows has to know beside their names, a line each; empty where there is nothing.
std::string notes(const std::vector<Row>& rows);
/// What the figures were measured on, one paragraph.
std::string machine_text(const Machine& machine, const Settings& settings);

/// "12.3", "1.03 M": for tables.
std::string short_number(double value);

}  // namespace shmq::bench
