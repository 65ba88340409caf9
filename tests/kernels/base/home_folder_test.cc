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

TEST(HomeFolderTest, KeepsCachesWhereTheUserSaysOrBelowHome) {
  const auto value = [](const char* name) {
    const char* text = std::getenv(name);
    return text == nullptr ? std::string() : std::string(text);
  };
  const std::string home = value("HOME");
  const std::string cache = value("XDG_CACHE_HOME");
  setenv("HOME", "/home/me", 1);
  setenv("XDG_CACHE_HOME", "/caches", 1);
  EXPECT_EQ(CacheFolder(), "/caches/bitpilot");
  setenv("XDG_CACHE_HOME", "relative", 1);  // the standard says: to be ignored
  EXPECT_EQ(CacheFolder(), "/home/me/.cache/bitpilot");
  unsetenv("XDG_CACHE_HOME");
  EXPECT_EQ(CacheFolder(), "/home/me/.cache/bitpilot");
  unsetenv("HOME");
  EXPECT_EQ(CacheFolder(), "");
  if (!home.empty()) setenv("HOME", home.c_str(), 1);
  if (!cache.empty()) setenv("XDG_CACHE_HOME", cache.c_str(), 1);
}

}  // namespace
}  // namespace bitpilot
