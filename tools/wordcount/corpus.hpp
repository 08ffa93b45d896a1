// The files to count, and their text in pieces that no word crosses.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace wordcount {

inline constexpr std::size_t kChunkBytes = 32 << 10;

struct Corpus {
  std::vector<std::string> files;
  std::uint64_t bytes = 0;
};

/// Regular files among the arguments; folders are walked. Throws std::runtime_error, with the reason, for
/// what cannot be read.
Corpus find_corpus(const std::vector<std::string>& arguments);

/// Calls `chunk(text)` for each piece of the file, of at most kChunkBytes, cut between words. Throws where a
/// run of letters is longer than that: such a file is no text.
void for_each_chunk(const std::string& path, const std::function<bool(std::string_view)>& chunk);

}  // namespace wordcount
