// What a word is, and two ways to count them: in one piece of text, and the merge of many such counts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace wordcount {

/// A word is a run of ASCII letters, in lower case.
inline bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
inline char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

using Counts = std::unordered_map<std::string, std::uint64_t>;

/// Adds the words of `text`, which neither begins nor ends inside a word.
void count_words(std::string_view text, Counts& into);

/// The plain way that the result is compared with: one pass over a whole file, byte by byte, nothing shared
/// with count_words() but the definition of a letter.
void count_file_plainly(const std::string& path, std::map<std::string, std::uint64_t>& into);

/// A count as bytes: for each word u16 length, u32 count, the letters.
void encode(const Counts& counts, std::vector<std::byte>& into);
/// Adds an encoded count; false where the bytes are not one.
bool decode_into(std::span<const std::byte> bytes, Counts& into);

}  // namespace wordcount
