#include "kernels/base/home_folder.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

namespace bitpilot {
namespace {

TEST(HomeFolderTest, ExpandsATildeInFrontOfASlash) {
  const char* old = std::getenv("HOME");
  const std::string home = old == nullptr ? "" : old;
  setenv("HOME", "/home/me", 1);
  EXPECT_EQ(ExpandHome("~/keys"), "/home/me/keys");
  EXPECT_EQ(ExpandHome("~"), "/home/me");
  EXPECT_EQ(ExpandHome("~you/keys"), "~you/keys");
  EXPECT_EQ(ExpandHome("keys/~"), "keys/~");
  unsetenv("HOME");
  EXPECT_EQ(ExpandHome("~/keys"), "~/keys");
  if (old != nullptr) setenv("HOME", home.c_str(), 1);
}

}  // namespace
}  // namespace bitpilot
