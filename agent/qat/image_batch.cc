#include "agent/qat/image_batch.h"

#include <algorithm>
#include <cmath>

#include "kernels/base/check.h"

namespace bitpilot {
namespace {

constexpr int kPixelValues = 256;

}  // namespace

PixelTable FloatPixelTable(const ModelDefinition& definition) {
  PixelTable table;
  for (std::size_t c = 0; c < definition.pixel_scale.size(); ++c) {
    for (int pixel = 0; pixel < kPixelValues; ++pixel) {
      table.values.push_back(static_cast<float>(pixel) * definition.pixel_scale[c] +
                             definition.pixel_offset[c]);
    }
  }
  return table;
}

InputQuantization QuantizeInput(const ModelDefinition& definition) {
  const PixelTable table = FloatPixelTable(definition);
  const auto [lowest, highest] = std::minmax_element(table.values.begin(), table.values.end());
  const float low = std::min(0.0F, *lowest);
  const float high = std::max(0.0F, *highest);
  InputQuantization input;
  input.scale = (high - low) / 255.0F;
  input.zero_point = static_cast<int>(std::lrintf(-low / input.scale));
  for (const float value : table.values) {
    const long code = std::lrintf(value / input.scale) + input.zero_point;
    input.codes.push_back(static_cast<std::uint8_t>(std::clamp(code, 0L, 255L)));
  }
  return input;
}

PixelTable InputQuantization::Dequantized() const {
  PixelTable table;
  for (const std::uint8_t code : codes) {
    table.values.push_back(static_cast<float>(code - zero_point) * scale);
  }
  return table;
}

void WriteImage(std::span<const std::uint8_t> pixels, const TensorShape& shape,
                const PixelTable& table, const Augmentation& augmentation, std::span<float> out) {
  const auto elements = static_cast<std::size_t>(shape.elements());
  BITPILOT_CHECK(pixels.size() == elements && out.size() == elements);
  const bool has_edge = augmentation.border == CropBorder::kEdge;
  std::size_t next = 0;
  for (int y = 0; y < shape.height; ++y) {
    int from_y = y + augmentation.dy;
    if (has_edge) from_y = std::clamp(from_y, 0, shape.height - 1);
    const bool row_inside = from_y >= 0 && from_y < shape.height;
    for (int x = 0; x < shape.width; ++x) {
      int from_x = (augmentation.flip ? shape.width - 1 - x : x) + augmentation.dx;
      if (has_edge) from_x = std::clamp(from_x, 0, shape.width - 1);
      const bool inside = row_inside && from_x >= 0 && from_x < shape.width;
      for (int c = 0; c < shape.channels; ++c) {
        const std::size_t source = static_cast<std::size_t>(
            (static_cast<std::int64_t>(c) * shape.height + from_y) * shape.width + from_x);
        const std::size_t pixel = inside ? pixels[source] : 0U;
        out[next++] = table.values[static_cast<std::size_t>(c) * kPixelValues + pixel];
      }
    }
  }
}

}  // namespace bitpilot
