#include "kernels/base/dense_codes.h"

#include <gtest/gtest.h>

#include <vector>

namespace bitpilot {
namespace {

TEST(DenseCodesTest, PutsZerosWhereChannelsArePruned) {
  const LayerWeights weights{{0, 4, 0, 0, 2, 8}, {1, 2, -1, 1, 7, -7}};
  using Codes = std::vector<std::int8_t>;
  EXPECT_EQ(DenseCodes(weights, 0, 6, 2), (Codes{0, 0, 1, 2, 0, 0, 0, 0, -1, 1, 7, -7}));
  EXPECT_EQ(DenseCodes(weights, 2, 3, 2), (Codes{0, 0, 0, 0, -1, 1}));
  EXPECT_EQ(DenseCodes(weights, 5, 1, 2), (Codes{7, -7}));
  EXPECT_EQ(NumStoredChannels(weights, 5), 2U);
}

}  // namespace
}  // namespace bitpilot
