// Standard output of commands that print a little.
#pragma once

#include <string_view>

namespace shmq::cli {

/// Writes all of it. A reader that has gone ends the command cleanly (false); any other refusal throws
/// Failure.
bool print(std::string_view text);

/// A remark for people on standard error: "shmq: TEXT".
void remark(std::string_view text);

}  // namespace shmq::cli
