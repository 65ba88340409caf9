#include "device_daemon/measurement/bench_pixels.h"

namespace bitpilot {

std::vector<std::uint8_t> BenchPixels(std::size_t num_bytes) {
  std::vector<std::uint8_t> pixels(num_bytes);
  std::uint32_t state = 1;
  for (std::uint8_t& pixel : pixels) {
    state = state * 1664525U + 1013904223U;
    pixel = static_cast<std::uint8_t>(state >> 24);
  }
  return pixels;
}

}  // namespace bitpilot
