#include "kernels/base/status.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace bitpilot {
namespace {

Result<std::vector<std::string>> LongWords() {
  return std::vector<std::string>{std::string(64, 'a'), std::string(64, 'b')};
}

// In C++20 a loop keeps alive what its expression ends with, not what that was taken from.
TEST(ResultTest, ALoopOverATemporaryReadsWhatItHeld) {
  std::string first_letters;
  for (const std::string& word : LongWords().value()) first_letters += word.at(0);
  for (const std::string& word : *LongWords()) first_letters += word.at(63);
  EXPECT_EQ(first_letters, "abab");
  static_assert(!std::is_reference_v<decltype(LongWords().value())>);
  static_assert(!std::is_reference_v<decltype(*LongWords())>);
}

TEST(ResultTest, GivesUpWhatCanOnlyBeMoved) {
  Result<std::unique_ptr<int>> result(std::make_unique<int>(7));
  const std::unique_ptr<int> taken = std::move(result).value();
  EXPECT_EQ(*taken, 7);
  const std::unique_ptr<int> made = *Result<std::unique_ptr<int>>(std::make_unique<int>(8));
  EXPECT_EQ(*made, 8);
}

TEST(ResultTest, IsAValueOrAFailure) {
  const Result<int> value(3);
  EXPECT_TRUE(value.ok());
  EXPECT_TRUE(value.status().ok());
  EXPECT_EQ(*value, 3);
  const Result<int> failure(DataCorrupt("cut off"));
  EXPECT_FALSE(failure.ok());
  EXPECT_EQ(failure.status().code(), StatusCode::kDataCorrupt);
  EXPECT_EQ(failure.status().message(), "cut off");
}

}  // namespace
}  // namespace bitpilot
