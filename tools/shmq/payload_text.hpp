// Payloads and results, which may be any bytes, in lines for people and in JSON.
#pragma once

#include <string>
#include <string_view>

#include "json.hpp"

namespace shmq::cli {

/// ASCII, the rest as \xNN, cut short: it cannot move the cursor.
std::string shown(std::string_view bytes);

/// A member of the object that is open: "text" where the bytes are UTF-8, otherwise "hex".
void put_bytes(stat::Json& json, std::string_view bytes);

}  // namespace shmq::cli
