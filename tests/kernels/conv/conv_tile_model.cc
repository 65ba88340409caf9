#include "tests/kernels/conv/conv_tile_model.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/output/store_scalar.h"
#include "tests/kernels/conv/tile_model.h"

namespace bitpilot {
namespace {

using Tiles = TileModel;

constexpr int kSumStride = 2 * kBlockChannels;

class Sink {
 public:
  Sink(const OutputArgs& output, int row) : output_(output), y_(row) {}

  void Store(const std::int32_t* sums, int num_pixels, int num_blocks, int first) {
    for (int i = 0; i < num_pixels; ++i, sums += kSumStride) {
      const int count = std::min(output_.channels - first, num_blocks * kBlockChannels);
      StoreBlock(output_, y_, x_, first, count, sums);
      if (++x_ == output_.width) {
        x_ = 0;
        ++y_;
      }
    }
  }

 private:
  const OutputArgs& output_;
  int y_;
  int x_ = 0;
};

#include "kernels/conv/conv_tiles.inc"

}  // namespace

void conv_w8a8_i32_tile_model(const ConvArgs& args, int row_begin, int row_end) {
  RunTiles(args, row_begin, row_end);
}

}  // namespace bitpilot
