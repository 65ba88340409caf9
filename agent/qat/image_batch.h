// From unsigned byte pixels to a network's float inputs, augmentation included.
//
// Images come in as [C, H, W] planes and go out as [H, W, C], the memory order of a channels-last
// tensor.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "agent/model/model_definition.h"
#include "kernels/base/topology.h"

namespace bitpilot {

// Float input of pixel value p in channel c: values[c * 256 + p].
struct PixelTable {
  std::vector<float> values;
};

// What the float network reads: pixel * pixel_scale[c] + pixel_offset[c].
PixelTable FloatPixelTable(const ModelDefinition& definition);

// The input's fixed 8-bit quantizer: one scale and zero point over the range of all channels'
// pixels. Never learned. A network that reads plain pixels gets scale 1, zero point 0: no error at
// all.
struct InputQuantization {
  float scale = 1.0F;
  int zero_point = 0;
  std::vector<std::uint8_t> codes;  // of pixel p in channel c: codes[c * 256 + p]
  // What the quantized network reads: (code - zero_point) * scale.
  PixelTable Dequantized() const;
};
InputQuantization QuantizeInput(const ModelDefinition& definition);

// Where an augmented image is cut out of the original: moved by (dy, dx) pixels, with this outside, then
// mirrored.
struct Augmentation {
  int dy = 0;
  int dx = 0;
  bool flip = false;
  CropBorder border = CropBorder::kBlack;
};

// REQUIRES: pixels.size() == out.size() == shape.elements().
void WriteImage(std::span<const std::uint8_t> pixels, const TensorShape& shape,
                const PixelTable& table, const Augmentation& augmentation, std::span<float> out);

}  // namespace bitpilot
