// The items of map, as standard input has them.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "records.hpp"

namespace shmq::cli {

class MapInput {
 public:
  explicit MapInput(Framing framing);

  /// Reads what there is; it may wait for some. What no argument can be (too long, or with a NUL in it) is an item, too:
  /// next() passes over it, and refused() tells of it.
  void read();
  /// The next item that was read as a whole, until take() takes it. Null: there is none, or there is trouble.
  const std::string* next();
  std::string take();
  struct Refused {
    std::uint64_t number = 0;
    std::string why;
  };
  /// The oldest item that no argument can be and that was not told of yet.
  std::optional<Refused> refused();
  /// Of the item that next() told of last, from 1.
  std::uint64_t number() const { return number_; }

  /// next() has nothing, and what it waits for is to be read.
  bool starved() const { return starved_ && !ended_; }
  /// All of it was read and taken.
  bool over() const { return over_ && !item_ && refused_.empty(); }
  /// Why there will be no more, where that is not its end; empty otherwise.
  const std::string& trouble() const { return trouble_; }

 private:
  void refuse_long();

  const Framing framing_;
  RecordReader reader_;
  bool starved_ = false;  // nothing that was read as a whole is left to be taken
  bool ended_ = false;    // read to its end
  bool over_ = false;     // and all of it was taken out of the reader
  std::optional<std::string> item_;
  std::uint64_t number_ = 0;
  std::string trouble_;
  std::deque<Refused> refused_;
};

}  // namespace shmq::cli
