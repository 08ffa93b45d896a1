// The options of commands that submit tasks, and what they ask for.
#pragma once

#include <string>

#include "options.hpp"
#include "shmq/tasks.hpp"

namespace shmq::cli {

/// A submission's options together with the text that they refer to.
struct Submission {
  std::string name, key;
  TaskOptions options;
  /// To be passed to each submission; refers to this object.
  TaskOptions given() const {
    TaskOptions asked = options;
    asked.name = name;
    asked.key = key;
    return asked;
  }
};

/// What the options that are about a task say: --name to --keep-for of submit.
Submission submission_of(const Arguments& arguments);

/// The largest payload that a task of this table can have: what its record holds, or the largest block.
std::size_t payload_most(const std::string& segment, const std::string& table);

}  // namespace shmq::cli
