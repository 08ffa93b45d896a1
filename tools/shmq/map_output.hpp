// What map has still to write: short outputs in memory, long ones in the files of the workers. Written as far as it goes
// without waiting.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

namespace shmq::cli {

class MapOutput {
 public:
  explicit MapOutput(int fd);

  void add(std::string_view bytes);
  /// A part of a file: read when its turn comes, and then given back to the file system.
  void add_file(int file, std::uint64_t offset, std::uint64_t bytes);

  bool empty() const { return pieces_.empty(); }
  /// Whether more may be added: memory is bounded.
  bool roomy() const { return waiting_bytes_ < kWaitingMax && pieces_.size() < kPiecesMax; }
  int fd() const { return fd_; }
  /// Writes what goes without waiting. errno of what went wrong; 0: nothing did.
  int write_some();

 private:
  struct Piece {
    std::string text;
    int file = -1;  // -1: it is `text`
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;
  };
  static constexpr std::size_t kWaitingMax = std::size_t{1} << 20;
  static constexpr std::size_t kPiecesMax = 1024;

  bool load(Piece& piece);

  int fd_;
  bool regular_;  // a file: a write to it does not wait for anybody
  std::deque<Piece> pieces_;
  std::size_t done_ = 0;           // of the first one's text
  std::size_t waiting_bytes_ = 0;  // in memory
};

}  // namespace shmq::cli
