#include "base/text.hpp"

#include <gtest/gtest.h>

#include <cerrno>

namespace shmq::base {
namespace {

TEST(SizeText, UsesTheLargestUnitThatLeavesAWholeNumberOrOneDigit) {
  EXPECT_EQ(size_text(0), "0 B");
  EXPECT_EQ(size_text(1023), "1023 B");
  EXPECT_EQ(size_text(1024), "1 KiB");
  EXPECT_EQ(size_text(1536), "1.5 KiB");
  EXPECT_EQ(size_text(64u << 20), "64 MiB");
  EXPECT_EQ(size_text(18'140'365), "17.3 MiB");
  EXPECT_EQ(size_text(std::uint64_t{5} << 40), "5 TiB");
  EXPECT_EQ(size_text(~std::uint64_t{0}), "16777216 TiB");
}

TEST(ParseSize, ReadsWhatPeopleWrite) {
  EXPECT_EQ(parse_size("4096"), 4096u);
  EXPECT_EQ(parse_size("64K"), 65536u);
  EXPECT_EQ(parse_size("64k"), 65536u);
  EXPECT_EQ(parse_size("64KiB"), 65536u);
  EXPECT_EQ(parse_size("64KB"), 65536u);
  EXPECT_EQ(parse_size("1.5M"), 1572864u);
  EXPECT_EQ(parse_size("2G"), 2147483648u);
  EXPECT_EQ(parse_size("100B"), 100u);
  EXPECT_EQ(parse_size("0"), 0u);
}

TEST(ParseSize, RefusesWhatIsNoSize) {
  for (const char* text :
       {"", "x", "-1", "12Q", "12KK", "K", " 12", "12 ", "1e99T", "0x10", "9999999999999T", "nan", "inf"})
    EXPECT_FALSE(parse_size(text)) << text;
}

TEST(SystemError, BecomesTheCodeThatCallersTellApart) {
  EXPECT_EQ(system_error(ENOENT, "x").code(), ErrorCode::not_found);
  EXPECT_EQ(system_error(EACCES, "x").code(), ErrorCode::permission);
  EXPECT_EQ(system_error(EPERM, "x").code(), ErrorCode::permission);
  EXPECT_EQ(system_error(ENOSPC, "x").code(), ErrorCode::no_space);
  EXPECT_EQ(system_error(EIO, "x").code(), ErrorCode::system);
  EXPECT_EQ(system_error(ENOENT, "cannot open f").message(),
            "cannot open f: No such file or directory (errno 2)");
}

TEST(CheckName, TakesOrdinaryNamesAndExplainsTheOthers) {
  for (const char* name : {"a", "A9", "_x", "market.data-2", "9lives"})
    EXPECT_TRUE(check_name(name, 63, "queue")) << name;
  const auto why = [](std::string_view name) { return check_name(name, 63, "queue").error().message(); };
  EXPECT_NE(why("").find("is empty"), std::string::npos);
  EXPECT_NE(why("a/b").find("contains '/'"), std::string::npos);
  EXPECT_NE(why("a b").find("contains a space"), std::string::npos);
  EXPECT_NE(why(".a").find("starts with '.'"), std::string::npos);
  EXPECT_NE(why(std::string(64, 'x')).find("has 64 characters"), std::string::npos);
  EXPECT_EQ(why("a\nb").find('\n'), std::string::npos);
}

TEST(ErrorCode, HasANameForEachCode) {
  for (int code = 0; code <= static_cast<int>(ErrorCode::system); ++code)
    EXPECT_STRNE(to_string(static_cast<ErrorCode>(code)), "unknown");
}

}  // namespace
}  // namespace shmq::base
