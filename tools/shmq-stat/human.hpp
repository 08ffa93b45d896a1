// The pictures for people.
#pragma once

#include <string>
#include <vector>

#include "rates.hpp"
#include "shmq/inspect.hpp"

namespace shmq::stat {

/// One line of the list: a segment, or why it cannot be read.
struct Listed {
  std::string name;
  Result<SegmentSnapshot> snapshot;
};

std::string list_text(const std::vector<Listed>& segments);
/// `queue` empty: all of the segment; else what concerns the objects of that name.
std::string show_text(const SegmentSnapshot& segment, const std::string& queue);
/// One task table; where there was an earlier look, also how fast tasks came and went since.
std::string table_text(const SegmentSnapshot& segment, const ObjectSnapshot& table, const EarlierLook* earlier);

}  // namespace shmq::stat
