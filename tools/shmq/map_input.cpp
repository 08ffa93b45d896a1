#include "map_input.hpp"

#include <unistd.h>

#include <cerrno>

#include "base/text.hpp"
#include "map.hpp"

namespace shmq::cli {

MapInput::MapInput(Framing framing) : framing_(framing), reader_(STDIN_FILENO, framing, kMapItemMax) {}

void MapInput::read() {
  switch (reader_.fill()) {
    case RecordReader::Filled::more:
    case RecordReader::Filled::stopped:
      break;
    case RecordReader::Filled::end:
      ended_ = true;
      break;
    case RecordReader::Filled::too_large:
      trouble_ = "item " + std::to_string(number_ + 1) + " has more than " + std::to_string(kMapItemMax) +
                 " bytes, and no argument may; have the command read it from a file";
      break;
    case RecordReader::Filled::failed:
      trouble_ = "cannot read standard input: " + base::errno_text(errno);
      break;
  }
}

const std::string* MapInput::next() {
  if (item_) return &*item_;
  if (over_ || !trouble_.empty()) return nullptr;
  const std::optional<Record> record = reader_.take();
  starved_ = !record;
  if (!record) {
    over_ = ended_;
    return nullptr;
  }
  item_.emplace(reinterpret_cast<const char*>(record->payload.data()), record->payload.size());
  ++number_;
  if (framing_ != Framing::line || item_->find('\0') == std::string::npos) return &*item_;
  trouble_ = "line " + std::to_string(number_) +
             " has a NUL in it, which no argument can have; items that end with NUL are read with -0";
  return nullptr;
}

std::string MapInput::take() {
  std::string item = std::move(*item_);
  item_.reset();
  return item;
}

}  // namespace shmq::cli
