#include "kernels/base/joined.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace bitpilot {
namespace {

struct Named {
  std::string name;
  int number;
};

TEST(JoinedTest, PutsACommaBetweenElements) {
  EXPECT_EQ(Joined(std::vector<std::string>{}), "");
  EXPECT_EQ(Joined(std::vector<std::string>{"a"}), "a");
  EXPECT_EQ(Joined(std::array<std::string_view, 3>{"a", "b", "c"}), "a, b, c");
}

TEST(JoinedTest, KeepsEmptyElements) {
  EXPECT_EQ(Joined(std::vector<std::string>{"", "b", ""}), ", b, ");
}

TEST(JoinedTest, TakesAMemberOrAFunction) {
  const std::vector<Named> list = {{"a", 1}, {"b", 2}};
  EXPECT_EQ(Joined(list, &Named::name), "a, b");
  EXPECT_EQ(Joined(list, [](const Named& one) { return std::to_string(one.number); }), "1, 2");
}

}  // namespace
}  // namespace bitpilot
