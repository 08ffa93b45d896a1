// Text for people: sizes, numbers, errors of the kernel, and the rule for names.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "shmq/result.hpp"

namespace shmq::base {

/// "64 B", "17.3 MiB": bytes in the largest binary unit that leaves a number of at least 1.
std::string size_text(std::uint64_t bytes);

/// Parses "4096", "64K", "64KiB", "1.5M", "2G" (powers of 1024); nothing where the text is not a size.
std::optional<std::uint64_t> parse_size(std::string_view text);

/// ASCII that moves no cursor: other bytes as \xNN. For bytes of unknown origin in a message.
std::string printable(std::string_view bytes);

/// "No such file or directory (errno 2)".
std::string errno_text(int error);

/// `error` as one of our codes: ENOENT → not_found, EACCES → permission, ENOSPC → no_space, others → system.
Error system_error(int error, const std::string& what);

inline constexpr std::size_t kSegmentNameMax = 200;
inline constexpr std::size_t kObjectNameMax = 63;

/// Names are 1 to `max` letters, digits, '.', '_' and '-', and do not start with '.' or '-'.
/// `what` ("segment", "queue") goes into the message.
Status check_name(std::string_view name, std::size_t max, const char* what);

}  // namespace shmq::base
