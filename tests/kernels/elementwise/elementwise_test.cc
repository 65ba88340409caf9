#include "kernels/elementwise/elementwise.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <ostream>
#include <random>
#include <string>

#include "kernels/output/requantize.h"
#include "tests/kernels/guarded_memory.h"

namespace bitpilot {

// Names the set in a failure's message.
void PrintTo(const ElementwiseKernels& kernels, std::ostream* os) { *os << kernels.suffix; }

namespace {

// Around every vector's width, and its remainders.
constexpr int kCounts[] = {1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 65, 129};

GuardedVector<std::uint8_t> RandomCodes(std::size_t count, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  GuardedVector<std::uint8_t> codes(count);
  std::generate(codes.begin(), codes.end(),
                [&random] { return static_cast<std::uint8_t>(random()); });
  return codes;
}

class ElementwiseKernelsTest : public ::testing::TestWithParam<ElementwiseKernels> {
 protected:
  void SetUp() override {
    if (const Isa isa = LevelWith(GetParam().features); !CpuSupports(isa)) {
      GTEST_SKIP() << "this CPU lacks " << ToString(isa);
    }
  }
};

TEST_P(ElementwiseKernelsTest, WidensEveryCodeAndNoMore) {
  for (const int count : kCounts) {
    const auto size = static_cast<std::size_t>(count);
    const GuardedVector<std::uint8_t> codes = RandomCodes(size, /*seed=*/1);
    GuardedVector<std::int16_t> words(size + 1, -7);
    GetParam().widen_codes(codes.data(), size, words.data());
    EXPECT_TRUE(std::equal(codes.begin(), codes.end(), words.begin()));
    EXPECT_EQ(words.back(), -7);
  }
}

TEST_P(ElementwiseKernelsTest, PacksEveryBitOfEveryPixel) {
  constexpr int kPixels = 5;
  constexpr int kPlanes = 8;
  for (const std::size_t pixel_bytes : {4U, 8U, 12U, 16U, 36U, 64U, 100U, 136U}) {
    const GuardedVector<std::uint8_t> codes = RandomCodes(kPixels * pixel_bytes, /*seed=*/5);
    const std::size_t plane_pixel = (pixel_bytes + 7) / 8;
    const std::size_t plane_bytes = kPixels * plane_pixel + 1;
    GuardedVector<std::uint8_t> expected(kPlanes * plane_bytes, 0);
    for (std::size_t r = 0; r < kPlanes; ++r) {
      expected[r * plane_bytes + plane_bytes - 1] = 0xEE;  // Not to be written.
      for (std::size_t pixel = 0; pixel < kPixels; ++pixel) {
        for (std::size_t c = 0; c < pixel_bytes; ++c) {
          const int bit = codes[pixel * pixel_bytes + c] >> r & 1;
          expected[r * plane_bytes + pixel * plane_pixel + c / 8] |=
              static_cast<std::uint8_t>(bit << c % 8);
        }
      }
    }
    GuardedVector<std::uint8_t> planes(kPlanes * plane_bytes, 0xEE);
    GetParam().pack_planes(codes.data(), kPixels, static_cast<std::ptrdiff_t>(pixel_bytes), kPlanes,
                           planes.data(), static_cast<std::ptrdiff_t>(plane_bytes));
    EXPECT_EQ(planes, expected) << pixel_bytes;
  }
}

TEST_P(ElementwiseKernelsTest, BuildsTheSumsOfAllSubsetsOfFourCodes) {
  for (const std::size_t count : {1U, 2U, 3U, 8U, 17U}) {
    const GuardedVector<std::uint8_t> codes = RandomCodes(4 * count, /*seed=*/6);
    GuardedVector<std::uint8_t> tables(16 * count + 1, 0xEE);
    GetParam().build_tables(codes.data(), count, tables.data());
    EXPECT_EQ(tables.back(), 0xEE);
    for (std::size_t entry = 0; entry < 16 * count; ++entry) {
      int sum = 0;
      for (std::size_t bit = 0; bit < 4; ++bit) {
        sum += (entry >> bit & 1) != 0 ? codes[entry / 16 * 4 + bit] : 0;
      }
      ASSERT_EQ(tables[entry], sum % 256) << entry;
    }
  }
}

TEST_P(ElementwiseKernelsTest, BuildsTheSumsOfFourCodesWithAllSigns) {
  constexpr std::size_t kPixels = 3;
  for (const std::size_t channels : {1U, 4U, 15U, 16U, 17U, 30U, 48U}) {
    const std::size_t pixel_bytes = (channels + 3) / 4 * 4;
    GuardedVector<std::uint8_t> codes = RandomCodes(kPixels * pixel_bytes, /*seed=*/11);
    for (std::size_t i = 0; i < codes.size(); ++i) {
      codes[i] = i % pixel_bytes < channels ? codes[i] % 32 : 255;  // Not to be counted.
    }
    const std::size_t groups = (pixel_bytes + 15) / 16;
    GuardedVector<std::uint8_t> tables(64 * kPixels * groups + 1, 0xEE);
    GetParam().build_sign_tables(codes.data(), kPixels, static_cast<std::ptrdiff_t>(pixel_bytes),
                                 static_cast<int>(channels), tables.data());
    EXPECT_EQ(tables.back(), 0xEE);
    for (std::size_t i = 0; i < 64 * kPixels * groups; ++i) {
      const std::size_t signs = i % 64 / 16 * 4 + i % 4;
      const std::size_t first = i / 64 % groups * 16 + i % 16 / 4 * 4;
      int sum = 0;
      for (std::size_t bit = 0; bit < 4; ++bit) {
        const int code =
            first + bit < channels ? codes[i / 64 / groups * pixel_bytes + first + bit] : 0;
        sum += (signs >> bit & 1) != 0 ? code : -code;
      }
      ASSERT_EQ(static_cast<std::int8_t>(tables[i]), sum) << channels << " channels, byte " << i;
    }
  }
}

TEST_P(ElementwiseKernelsTest, AddsUpTheChannelsOfEachPixel) {
  constexpr std::ptrdiff_t kPixels = 3;
  for (const int count : kCounts) {
    const auto pixel_bytes = static_cast<std::size_t>(count) + 2;
    const GuardedVector<std::uint8_t> codes = RandomCodes(kPixels * pixel_bytes, /*seed=*/7);
    GuardedVector<std::int32_t> sums(kPixels + 1, -7);
    GetParam().sum_channels(codes.data(), kPixels, static_cast<std::ptrdiff_t>(pixel_bytes), count,
                            sums.data());
    EXPECT_EQ(sums.back(), -7);
    for (std::size_t pixel = 0; pixel < kPixels; ++pixel) {
      const auto begin = codes.begin() + static_cast<std::ptrdiff_t>(pixel * pixel_bytes);
      EXPECT_EQ(sums[pixel], std::accumulate(begin, begin + count, 0)) << count;
    }
  }
}

TEST_P(ElementwiseKernelsTest, AddsWhatLiesAhead) {
  constexpr std::size_t kDistance = 5;
  constexpr std::size_t kTerms = 3;
  for (const int count : kCounts) {
    const auto size = static_cast<std::size_t>(count);
    GuardedVector<std::int32_t> sums(size + (kTerms - 1) * kDistance);
    std::iota(sums.begin(), sums.end(), 100);
    GuardedVector<std::int32_t> expected = sums;
    for (std::size_t i = 0; i < size; ++i) {
      expected[i] = 3 * (100 + static_cast<std::int32_t>(i)) + 5 + 10;
    }
    GetParam().sum_ahead(sums.data(), count, kDistance, kTerms);
    EXPECT_EQ(sums, expected) << count;
  }
}

TEST_P(ElementwiseKernelsTest, BuildsTheParityOfThreeBytes) {
  constexpr std::size_t kDistance = 6;
  for (const int count : kCounts) {
    const auto size = static_cast<std::size_t>(count);
    const GuardedVector<std::uint8_t> plane = RandomCodes(size + 2 * kDistance, /*seed=*/9);
    GuardedVector<std::uint8_t> parities(size + 1, 0xEE);
    GetParam().build_parities(plane.data(), count, kDistance, parities.data());
    for (std::size_t i = 0; i < size; ++i) {
      ASSERT_EQ(parities[i], plane[i] ^ plane[i + kDistance] ^ plane[i + 2 * kDistance]) << count;
    }
    EXPECT_EQ(parities.back(), 0xEE);
  }
}

TEST_P(ElementwiseKernelsTest, AddsPixelsToTheSums) {
  constexpr int kPixels = 5;
  for (const int count : kCounts) {
    const auto size = static_cast<std::size_t>(count);
    const std::size_t pixel_bytes = size + 3;
    const GuardedVector<std::uint8_t> codes = RandomCodes(kPixels * pixel_bytes, /*seed=*/2);
    GuardedVector<std::int32_t> sums(size + 1, 1000);
    GuardedVector<std::int32_t> expected = sums;
    for (std::size_t pixel = 0; pixel < kPixels; ++pixel) {
      for (std::size_t c = 0; c < size; ++c) {
        expected[c] += codes[pixel * pixel_bytes + c];
      }
    }
    GetParam().sum_pixels(codes.data(), kPixels, static_cast<std::ptrdiff_t>(pixel_bytes), count,
                          sums.data());
    EXPECT_EQ(sums, expected) << count;
  }
}

TEST_P(ElementwiseKernelsTest, FindsTheLargestCodesOfWindows) {
  constexpr std::size_t kSlack = 64;
  PoolWindows windows;
  windows.count = 4;
  windows.height = 2;
  windows.width = 3;
  for (const int channels : kCounts) {
    windows.pixel_bytes = channels + 3;
    windows.distance_bytes = 2 * windows.pixel_bytes;
    windows.row_bytes = 10 * windows.pixel_bytes;
    const GuardedVector<std::uint8_t> codes =
        RandomCodes(static_cast<std::size_t>(windows.height * windows.row_bytes) + kSlack,
                    /*seed=*/3);
    windows.codes = codes.data();
    GuardedVector<std::uint8_t> largest(
        static_cast<std::size_t>(windows.count * windows.pixel_bytes) + kSlack);
    GetParam().max_windows(windows, channels, largest.data());
    for (int i = 0; i < windows.count; ++i) {
      for (int c = 0; c < channels; ++c) {
        std::uint8_t expected = 0;
        for (int y = 0; y < windows.height; ++y) {
          for (int x = 0; x < windows.width; ++x) {
            const std::ptrdiff_t at = y * windows.row_bytes + (2 * i + x) * windows.pixel_bytes + c;
            expected = std::max(expected, codes[static_cast<std::size_t>(at)]);
          }
        }
        const std::ptrdiff_t place = i * windows.pixel_bytes + c;
        ASSERT_EQ(largest[static_cast<std::size_t>(place)], expected) << channels;
      }
    }
  }
}

TEST_P(ElementwiseKernelsTest, RescalesCodesAsRequantizationDoes) {
  constexpr std::int32_t kInputZeroPoint = 100;
  constexpr std::size_t kPixels = 3;
  for (const int count : kCounts) {
    const auto size = static_cast<std::size_t>(count);
    const std::size_t pixel_bytes = size + 3;
    const GuardedVector<std::uint8_t> codes = RandomCodes(kPixels * pixel_bytes, /*seed=*/8);
    const GuardedVector<std::int32_t> correction(size, -kInputZeroPoint);
    GuardedVector<float> scale(size);
    GuardedVector<float> bias(size);
    for (std::size_t c = 0; c < size; ++c) {  // Ties, both signs, and codes beyond both ends.
      scale[c] = (c % 2 == 0 ? 0.5F : -1.25F) * static_cast<float>(1 + c % 3);
      bias[c] = static_cast<float>(c % 7) - 3.0F;
    }
    OutputArgs output;
    output.channels = count;
    output.correction = correction.data();
    output.scale = scale.data();
    output.bias = bias.data();
    output.zero_point = 60.0F;
    output.code_min = 3.0F;
    output.code_max = 200.0F;
    output.pixel_bytes = count + 1;
    GuardedVector<std::uint8_t> rescaled(kPixels * (size + 1), 0xEE);
    GetParam().rescale_codes(codes.data(), kPixels, static_cast<std::ptrdiff_t>(pixel_bytes),
                             output, rescaled.data());
    for (std::size_t pixel = 0; pixel < kPixels; ++pixel) {
      const std::uint8_t* of_pixel = rescaled.data() + pixel * (size + 1);
      EXPECT_EQ(of_pixel[size], 0xEE);
      for (std::size_t c = 0; c < size; ++c) {
        const std::int32_t sum = codes[pixel * pixel_bytes + c] - kInputZeroPoint;
        EXPECT_EQ(of_pixel[c], ToCode(Rescale(sum, scale[c], bias[c]), 60, 3, 200)) << count;
      }
    }
  }
}

TEST_P(ElementwiseKernelsTest, ConvertsPixelsByTheirChannelsTable) {
  const GuardedVector<std::uint8_t> tables = RandomCodes(4 * 256, /*seed=*/9);
  for (const int count : kCounts) {
    const auto size = static_cast<std::size_t>(count);
    const GuardedVector<std::uint8_t> pixels = RandomCodes(4 * size, /*seed=*/10);
    const std::uint8_t* planes[4];
    for (std::size_t c = 0; c < 4; ++c) {
      planes[c] = pixels.data() + c * size;
    }
    for (const std::size_t pixel_bytes : {3U, 4U, 8U}) {
      GuardedVector<std::uint8_t> codes(size * pixel_bytes + 1, 0xEE);
      GuardedVector<std::uint8_t> expected = codes;
      for (std::size_t i = 0; i < 4 * size; ++i) {
        if (i % 4 < pixel_bytes) {
          expected[i / 4 * pixel_bytes + i % 4] = tables[i % 4 * 256 + planes[i % 4][i / 4]];
        }
      }
      GetParam().convert_pixels(planes, tables.data(), count,
                                static_cast<std::ptrdiff_t>(pixel_bytes), codes.data());
      EXPECT_EQ(codes, expected) << count;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(AllKernels, ElementwiseKernelsTest,
                         ::testing::ValuesIn(AllElementwiseKernels().begin(),
                                             AllElementwiseKernels().end()),
                         [](const auto& param) { return std::string(param.param.suffix); });

}  // namespace
}  // namespace bitpilot
