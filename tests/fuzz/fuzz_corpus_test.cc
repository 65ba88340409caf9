// What the fuzzers found so far, once more, and then damaged: also where there is no fuzzer.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "kernels/base/file_io.h"
#include "tests/fuzz/fuzz_targets.h"

namespace bitpilot {
namespace {

class FuzzCorpusTest : public testing::TestWithParam<FuzzTarget> {};

TEST_P(FuzzCorpusTest, F31SurvivesWhatWasFoundAndSmallChangesOfIt) {
  const std::string folder =
      std::string(BITPILOT_SOURCE_DIR "/tests/fuzz/corpus/") + GetParam().name;
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    paths.push_back(entry.path());
  ASSERT_FALSE(paths.empty()) << folder;
  std::sort(paths.begin(), paths.end());
  std::mt19937 random(31);
  for (const std::string& path : paths) {
    SCOPED_TRACE(path);
    const std::string input = ReadFile(path).value();
    GetParam().run(input);
    for (int i = 0; i < 20 && !input.empty(); ++i) {
      std::string changed = input;
      for (std::uint32_t changes = 1 + random() % 3; changes > 0; --changes) {
        changed[random() % changed.size()] = static_cast<char>(random());
      }
      if (random() % 4 == 0) changed.resize(random() % changed.size());
      GetParam().run(changed);
    }
  }
}

std::string NameOf(const testing::TestParamInfo<FuzzTarget>& target) { return target.param.name; }

INSTANTIATE_TEST_SUITE_P(, FuzzCorpusTest,
                         testing::ValuesIn(FuzzTargets().begin(), FuzzTargets().end()), NameOf);

}  // namespace
}  // namespace bitpilot
