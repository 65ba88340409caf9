// A convolution as one would write it first: what the portable kernels are compared with.
#pragma once

#include <cstdint>
#include <vector>

namespace bitpilot {

// A square layer of stride 1 on an image with its padding around it. Codes in, codes out.
struct PlainLayer {
  int channels = 1;
  int size = 1;  // Height and width of the output.
  int filter = 1;
  int out_channels = 1;
  std::vector<std::uint8_t> input;   // [size + filter - 1, size + filter - 1, channels]
  std::vector<std::int8_t> weights;  // [out_channels, filter, filter, channels]
  std::vector<float> scale;          // [out_channels], as the next
  std::vector<float> bias;
  std::vector<std::uint8_t> output;  // [size, size, out_channels]
};

// Compiled with -O2 and without the vectorizer, as for a CPU without vectors.
void RunPlainLoops(PlainLayer& layer);

}  // namespace bitpilot
