// Hostile bytes: one strike changes one field, swaps two, or writes one place over another.
//
// It knows the layout, so that most strikes are plausible: owners that are nobody, dead, somebody else or the reader
// itself; laps and positions a little ahead or behind; indices and offsets that are just out of range, or overflow when
// something is added; names without an end. It writes as another process would, by single stores.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "dice.hpp"
#include "fields.hpp"

namespace hostile {

class Corrupter {
 public:
  Corrupter(const Fields& fields, std::byte* base) : fields_(fields), base_(base) {}

  void strike(Dice& dice);
  /// Strikes of one kind at one field.
  void set(const Field& field, Dice& dice);
  const Field& any_field(Dice& dice, std::string* name = nullptr) const;

  std::uint64_t load(const Field& field) const;
  void store(const Field& field, std::uint64_t value) const;
  /// What could stand in this field, given what does.
  std::uint64_t value_for(const Field& field, std::uint64_t old, Dice& dice) const;
  /// What was done, for a report: "row.word at 4096: 0x… → 0x…; …".
  const std::string& story() const { return story_; }
  void remember(bool yes) { remember_ = yes; }

 private:
  void name(const Field& field, Dice& dice);
  void region(Dice& dice);
  void tell(const std::string& what);

  const Fields& fields_;
  std::byte* base_;
  std::string story_;
  bool remember_ = true;
};

}  // namespace hostile
