// The documents of --json. docs/cli-shmq-stat.md describes every field; a change that breaks a reader raises the version.
#pragma once

#include <string>
#include <vector>

#include "human.hpp"
#include "shmq/inspect.hpp"

namespace shmq::stat {

inline constexpr int kJsonVersion = 1;

std::string list_document(const std::vector<Listed>& segments);
std::string show_document(const SegmentSnapshot& segment, const std::string& queue);
/// One task table, and who is attached to its segment.
std::string tasks_document(const SegmentSnapshot& segment, const ObjectSnapshot& table, const EarlierLook* earlier);

}  // namespace shmq::stat
