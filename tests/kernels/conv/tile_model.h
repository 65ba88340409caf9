// A model of AMX's tile registers in plain code, for CPUs without them: what
// kernels/conv/conv_tiles.inc does with tiles can be tested everywhere.
//
// Each operation is the pseudocode of its instruction in Intel's Architectures Software Developer's
// Manual, volume 2 (LDTILECFG, TILEZERO, TILELOADD, TDPBUSD, TILESTORED), and ends the program
// where the instruction would fault.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/base/check.h"

namespace bitpilot {

// One tile register.
struct ModelTile {
  int rows = 0;  // 0: not configured.
  int row_bytes = 0;
  std::uint8_t bytes[16][64] = {};
};

class TileModel {
 public:
  // config: 64 bytes, as LDTILECFG reads them.
  template <class Config>
  static void Configure(const Config& config) {
    static_assert(sizeof(config) == 64);
    std::uint8_t bytes[64];
    std::memcpy(bytes, &config, sizeof(bytes));
    BITPILOT_CHECK(bytes[0] == 1);  // The palette of 8 tiles of 16 rows of 64 bytes.
    for (int i = 2; i < 16; ++i) BITPILOT_CHECK(bytes[i] == 0);
    for (int tile = 0; tile < 16; ++tile) {
      std::uint16_t row_bytes;
      std::memcpy(&row_bytes, bytes + 16 + 2 * tile, sizeof(row_bytes));
      const int rows = bytes[48 + tile];
      BITPILOT_CHECK(row_bytes <= 64 && rows <= 16 && (row_bytes == 0) == (rows == 0));
      if (tile >= 8) {
        BITPILOT_CHECK(rows == 0);
        continue;
      }
      tiles_[tile] = ModelTile{};
      tiles_[tile].rows = rows;
      tiles_[tile].row_bytes = row_bytes;
    }
  }

  static void Release() {
    for (ModelTile& tile : tiles_) tile = ModelTile{};
  }

  template <int kTile>
  static void Zero() {
    std::memset(Configured(kTile).bytes, 0, sizeof(ModelTile::bytes));
  }

  template <int kTile>
  static void Load(const void* data, std::ptrdiff_t stride) {
    ModelTile& tile = Configured(kTile);
    std::memset(tile.bytes, 0, sizeof(tile.bytes));
    for (int row = 0; row < tile.rows; ++row) {
      std::memcpy(tile.bytes[row], static_cast<const std::uint8_t*>(data) + row * stride,
                  static_cast<std::size_t>(tile.row_bytes));
    }
  }

  // sums[m][n] += inputs[m][4k + i] (unsigned) * weights[k][4n + i] (signed), over k and i < 4.
  template <int kSums, int kInputs, int kWeights>
  static void Dot() {
    static_assert(kSums != kInputs && kSums != kWeights && kInputs != kWeights);
    ModelTile& sums = Configured(kSums);
    const ModelTile& inputs = Configured(kInputs);
    const ModelTile& weights = Configured(kWeights);
    BITPILOT_CHECK(sums.rows == inputs.rows && sums.row_bytes == weights.row_bytes);
    BITPILOT_CHECK(inputs.row_bytes % 4 == 0 && weights.row_bytes % 4 == 0);
    BITPILOT_CHECK(inputs.row_bytes / 4 == weights.rows);
    for (int m = 0; m < sums.rows; ++m) {
      for (int n = 0; n < sums.row_bytes / 4; ++n) {
        std::uint32_t sum;
        std::memcpy(&sum, sums.bytes[m] + 4 * n, sizeof(sum));
        for (int k = 0; k < weights.rows; ++k) {
          for (int i = 0; i < 4; ++i) {
            sum += static_cast<std::uint32_t>(
                inputs.bytes[m][4 * k + i] * static_cast<std::int8_t>(weights.bytes[k][4 * n + i]));
          }
        }
        std::memcpy(sums.bytes[m] + 4 * n, &sum, sizeof(sum));
      }
    }
  }

  template <int kTile>
  static void Store(void* data, std::ptrdiff_t stride) {
    const ModelTile& tile = Configured(kTile);
    for (int row = 0; row < tile.rows; ++row) {
      std::memcpy(static_cast<std::uint8_t*>(data) + row * stride, tile.bytes[row],
                  static_cast<std::size_t>(tile.row_bytes));
    }
  }

 private:
  // An instruction on a tile that is not configured faults.
  static ModelTile& Configured(int tile) {
    BITPILOT_CHECK(tiles_[tile].rows > 0);
    return tiles_[tile];
  }

  static inline ModelTile tiles_[8] = {};
};

}  // namespace bitpilot
