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
      ++number_;
      refuse_long();
      reader_.skip();
      break;
    case RecordReader::Filled::failed:
      trouble_ = "cannot read standard input: " + base::errno_text(errno);
      break;
  }
}

void MapInput::refuse_long() {
  refused_.push_back({number_, "has more than " + std::to_string(kMapItemMax) +
                                   " bytes, and no argument may; have the command read it from a file"});
}

std::optional<MapInput::Refused> MapInput::refused() {
  if (refused_.empty()) return std::nullopt;
  Refused oldest = std::move(refused_.front());
  refused_.pop_front();
  return oldest;
}

const std::string* MapInput::next() {
  if (item_) return &*item_;
  if (over_ || !trouble_.empty()) return nullptr;
  while (const std::optional<Record> record = reader_.take()) {
    starved_ = false;
    ++number_;
    // How long a record was found whole depends on how the input was read.
    if (record->payload.size() > kMapItemMax) {
      refuse_long();
      continue;
    }
    item_.emplace(reinterpret_cast<const char*>(record->payload.data()), record->payload.size());
    if (framing_ != Framing::line || item_->find('\0') == std::string::npos) return &*item_;
    item_.reset();
    refused_.push_back({number_, "has a NUL in it, which no argument can have; items that end with NUL are read with -0"});
  }
  starved_ = true;
  over_ = ended_;
  return nullptr;
}

std::string MapInput::take() {
  std::string item = std::move(*item_);
  item_.reset();
  return item;
}

}  // namespace shmq::cli
