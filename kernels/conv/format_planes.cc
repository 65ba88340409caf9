// Input and weights as bit planes: the binary decomposition of EBS ("Efficient Bitwidth Search for Practical
// Mixed Precision Neural Network", arXiv:2003.07577).
//
// sign planes: of plane p of the input (elementwise.h, pack_planes; one image a plane) bit e is bit p of x[e]; a step is
// a word of 32 bits of one plane, or of 16 where ConvArgs::pairs_pixels.
// Weights: |w| = sum over planes q of 2^q m_q; a plane of a block has for each run its `count` and then its steps:
//
//   plane q, a run | count, 16 int32 | step 0: negative | mask | step 1: negative | mask | ...     64 bytes each
//
//   negative, mask   32 bits a channel (16 bits twice where pairs_pixels): w < 0 and m_q, and m_q
//   count[c]         2^q times the number of negative ones of the run
//   sum of x_p * sign over the run = 2^q popcount((x_p ^ negative) & mask) - count
//
// Without a weight of 0 (ConvArgs::masks_planes is false) there are no masks, and thirds of a run go together: with n
// the third of its steps, words i, i + n and i + 2 n are a triple, of which are stored, triple after triple, `negative`
// of the first two and the parity of all three; steps that are left follow. The input's parities are
// ConvArgs::input_parity_bytes behind it.
//
//   a run | count | a0 b0 a0^b0^c0 | a1 b1 a1^b1^c1 | ... | rest |
//
// sign words: the same planes of the input and weights, always by words of 32 bits and without triples. Sums begin at what
// the negative ones of all runs count in all planes of the input: ConvArgs::begins, [block][16 int32].
//
// planes of 64: the same planes of the input, a word of 64 bits a step.
// Weights: planes of two's complement, bit q of w: word c of step s of plane q. 1-bit weights have a plane whose set
// bits are +1, and behind it one that masks the window's elements.
//
//   plane q, step s | 64 bits of channel 0 | ... | of channel 15 |     128 bytes
//   sum of x_p * w over q = popcount(x_p & plane q) * (q is the sign ? -2^q : 2^q)
#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <numeric>

#include "kernels/conv/conv_steps.h"
#include "kernels/elementwise/elementwise.h"

namespace bitpilot {
namespace {

// Of one plane.
constexpr std::ptrdiff_t PlanePixelBytes(std::ptrdiff_t code_bytes) { return (code_bytes + 7) / 8; }

// Of one plane of the whole input, and what kernels may read behind it.
std::ptrdiff_t InputPlaneBytes(const InputCodes& input) {
  return input.num_pixels() * PlanePixelBytes(input.pixel_bytes) +
         static_cast<std::ptrdiff_t>(input.slack_bytes);
}

// Behind the planes lies one of parities for each, where there are triples.
constexpr ConvInputForm kPlanesForm = {
    .pixel_bytes = PlanePixelBytes,
    .codes_multiple = 4,
    .total_bytes =
        [](const InputCodes& input) {
          return static_cast<std::size_t>(input.bits * InputPlaneBytes(input) *
                                          (input.parity_distance_bytes > 0 ? 2 : 1));
        },
    .convert =
        [](const ElementwiseKernels& elementwise, const InputCodes& input, const PixelRange& pixels,
           std::uint8_t* form) {
          elementwise.pack_planes(input.codes + pixels.begin * input.pixel_bytes,
                                  pixels.end - pixels.begin, input.pixel_bytes, input.bits,
                                  form + pixels.begin * PlanePixelBytes(input.pixel_bytes),
                                  InputPlaneBytes(input));
        },
    .complete =
        [](const ElementwiseKernels& elementwise, const InputCodes& input, std::uint8_t* form) {
          const std::ptrdiff_t plane_bytes = InputPlaneBytes(input);
          const std::ptrdiff_t distance = input.parity_distance_bytes;
          for (int plane = 0; distance > 0 && plane < input.bits; ++plane) {
            elementwise.build_parities(form + plane * plane_bytes, plane_bytes - 2 * distance,
                                       distance, form + (input.bits + plane) * plane_bytes);
          }
        },
    .set_args =
        [](const InputCodes& input, ConvArgs* args) {
          args->input_planes = input.bits;
          args->input_plane_bytes = InputPlaneBytes(input);
          args->input_parity_bytes = input.bits * args->input_plane_bytes;
        }};

// Whether words of planes are those of one pixel (ConvArgs::pairs_pixels): where a pixel has 16
// bits, and rows of a filter, which are one word or one triple then, would leave half of their last
// word of 32 empty.
bool PairsPixels(const ConvWindow& window) {
  return window.all_channels && window.stride_w == 1 &&
         (window.filter_w == 1 || window.filter_w == kTripleSteps) &&
         PlanePixelBytes(window.pixel_bytes) == 2;
}

// Consecutive bytes of a plane's window.
struct PlaneSegment {
  int y = 0;
  std::ptrdiff_t first_byte = 0;  // From the filter row's first pixel.
  std::ptrdiff_t num_bytes = 0;
};

std::vector<PlaneSegment> PlaneSegments(const ConvWindow& window) {
  const std::ptrdiff_t pixel = PlanePixelBytes(window.pixel_bytes);
  const std::ptrdiff_t first = window.first_channel / 8;
  const std::ptrdiff_t end = (window.first_channel + window.group_channels + 7) / 8;
  std::vector<PlaneSegment> segments;
  for (int y = 0; y < window.filter_h; ++y) {
    if (window.all_channels) {
      segments.push_back({y, 0, window.filter_w * pixel});
      continue;
    }
    for (int x = 0; x < window.filter_w; ++x) {
      segments.push_back({y, x * pixel + first, end - first});
    }
  }
  return segments;
}

// Of the input, sign planes and planes of 64.
std::ptrdiff_t SignWordBytes(const ConvWindow& window) { return PairsPixels(window) ? 2 : 4; }
constexpr std::ptrdiff_t kWordBytes32 = 4;
constexpr std::ptrdiff_t kWordBytes64 = 8;

std::ptrdiff_t NumSteps(const PlaneSegment& segment, std::ptrdiff_t word_bytes) {
  return (segment.num_bytes + word_bytes - 1) / word_bytes;
}

// Index among a channel's codes of the element at `bit` of the segment, or -1 for none.
std::ptrdiff_t ElementAt(const ConvWindow& window, const PlaneSegment& segment,
                         std::ptrdiff_t bit) {
  const std::ptrdiff_t pixel = PlanePixelBytes(window.pixel_bytes);
  if (bit >= 8 * segment.num_bytes) {
    return -1;
  }
  const std::ptrdiff_t byte = segment.first_byte + bit / 8;
  const std::ptrdiff_t channel = byte % pixel * 8 + bit % 8 - window.first_channel;
  if (channel < 0 || channel >= window.group_channels) {
    return -1;
  }
  return (segment.y * window.filter_w + byte / pixel) * window.group_channels + channel;
}

// Calls f(step, bit of the step, element) for every element of the window.
template <class F>
void ForEachElement(const ConvWindow& window, std::ptrdiff_t word_bytes, F f) {
  const std::ptrdiff_t step_bits = 8 * word_bytes;
  std::ptrdiff_t first_step = 0;
  for (const PlaneSegment& segment : PlaneSegments(window)) {
    for (std::ptrdiff_t bit = 0; bit < 8 * segment.num_bytes; ++bit) {
      const std::ptrdiff_t element = ElementAt(window, segment, bit);
      if (element >= 0) {
        f(first_step + bit / step_bits, bit % step_bits, element);
      }
    }
    first_step += NumSteps(segment, word_bytes);
  }
}

void SetBit(std::uint8_t* bytes, std::ptrdiff_t bit) {
  bytes[bit / 8] = static_cast<std::uint8_t>(bytes[bit / 8] | 1 << bit % 8);
}

void AddInt32(std::uint8_t* to, std::int32_t value) {
  std::int32_t sum;
  std::memcpy(&sum, to, sizeof(sum));
  sum += value;
  std::memcpy(to, &sum, sizeof(sum));
}

void FlipBits(std::uint8_t* to, std::uint32_t bits) {
  std::uint32_t word;
  std::memcpy(&word, to, sizeof(word));
  word ^= bits;
  std::memcpy(to, &word, sizeof(word));
}

// Of one channel in 64 bytes of 16.
constexpr int kLaneBytes = 4;

// Where a step's signs are in a plane of weights.
struct SignPlace {
  std::ptrdiff_t signs = 0;   // Of the last of a triple: no place of its own, so `parity`.
  std::ptrdiff_t parity = 0;  // Of its triple; `signs` where there is none.
  std::ptrdiff_t count = 0;   // The number of negative ones of its run.
};

// Of all runs' steps.
std::vector<SignPlace> PlaceSigns(const std::vector<DepthRun>& runs, bool masks, bool has_triples) {
  std::vector<SignPlace> places;
  std::ptrdiff_t run_begin = 0;
  for (const DepthRun& run : runs) {
    if (run.num_steps == 0) break;
    const int triples = has_triples ? run.num_steps / kTripleSteps : 0;
    for (int step = 0; step < run.num_steps; ++step) {
      const auto place = [run_begin, masks](int index) {
        return run_begin + kStepBytes * (1 + std::ptrdiff_t{index} * (masks ? 2 : 1));
      };
      if (step < kTripleSteps * triples) {
        const int first = step % triples * kTripleSteps;
        places.push_back(
            {place(first + step / triples), place(first + kTripleSteps - 1), run_begin});
      } else {
        places.push_back({place(step), place(step), run_begin});
      }
    }
    run_begin += kStepBytes * (1 + std::ptrdiff_t{run.num_steps} * (masks ? 2 : 1));
  }
  return places;
}

std::vector<DepthRun> RowRuns(const ConvWindow& window, std::ptrdiff_t word_bytes) {
  const std::ptrdiff_t row_bytes =
      window.row_bytes / window.pixel_bytes * PlanePixelBytes(window.pixel_bytes);
  std::vector<DepthRun> runs;
  for (const PlaneSegment& segment : PlaneSegments(window)) {
    runs.push_back({static_cast<std::int32_t>(segment.y * row_bytes + segment.first_byte),
                    static_cast<std::int32_t>(NumSteps(segment, word_bytes)), 0, false});
  }
  runs.push_back({});
  return runs;
}

// REQUIRES: codes in [-2^(weight_bits - 1), 2^(weight_bits - 1) - 1]; -1 or 1 at 1 bit.
PackedConv PackPlanes64(const ConvWindow& window, const ConvWeights& from) {
  const int weight_bits = from.weight_bits;
  std::ptrdiff_t num_steps = 0;
  for (const PlaneSegment& segment : PlaneSegments(window)) {
    num_steps += NumSteps(segment, kWordBytes64);
  }
  const std::ptrdiff_t plane_bytes = num_steps * kWordBytes64 * kBlockChannels;
  const std::ptrdiff_t block_bytes = std::max(weight_bits, 2) * plane_bytes;
  PackedConv packed;
  packed.runs = RowRuns(window, kWordBytes64);
  packed.weight_planes = weight_bits;
  packed.weight_plane_bytes = plane_bytes;
  packed.weights =
      AlignedBuffer(static_cast<std::size_t>(NumBlocks(from.num_channels) * block_bytes));
  for (int o = 0; o < from.num_channels; ++o) {
    std::uint8_t* lane = packed.weights.data() + o / kBlockChannels * block_bytes +
                         o % kBlockChannels * kWordBytes64;
    ForEachElement(window, kWordBytes64, [&](auto step, auto bit, auto element) {
      const int code = from.codes[o * WindowDepth(window) + element];
      // At 1 bit: the sign and, as the second plane, the mask.
      const int planes = weight_bits == 1 ? 2 + static_cast<int>(code > 0) : code;
      for (int q = 0; q < std::max(weight_bits, 2); ++q) {
        if ((planes >> q & 1) != 0) {
          SetBit(lane + q * plane_bytes + step * kWordBytes64 * kBlockChannels, bit);
        }
      }
    });
  }
  return packed;
}

// word_bytes: 2, of pixels that are paired, or 4.
PackedConv PackSigns(const ConvWindow& window, const ConvWeights& from, std::ptrdiff_t word_bytes,
                     bool may_have_triples) {
  PackedConv packed;
  packed.runs = RowRuns(window, word_bytes);
  packed.weight_planes = std::max(from.weight_bits - 1, 1);
  packed.pairs_pixels = word_bytes == 2;
  const auto num_steps =
      std::accumulate(packed.runs.begin(), packed.runs.end(), std::ptrdiff_t{0},
                      [](std::ptrdiff_t sum, const DepthRun& run) { return sum + run.num_steps; });
  packed.masks_planes = from.weight_bits > 1 || 8 * word_bytes * num_steps != WindowDepth(window);
  const bool has_triples = may_have_triples && !packed.masks_planes;
  if (has_triples) {
    packed.parity_distance_bytes = packed.runs.front().num_steps / kTripleSteps * word_bytes;
  }
  const std::vector<SignPlace> places = PlaceSigns(packed.runs, packed.masks_planes, has_triples);
  packed.weight_plane_bytes = kStepBytes * static_cast<std::ptrdiff_t>(packed.runs.size() - 1) +
                              kStepBytes * (packed.masks_planes ? 2 : 1) * num_steps;
  const std::ptrdiff_t block_bytes = packed.weight_planes * packed.weight_plane_bytes;
  packed.weights =
      AlignedBuffer(static_cast<std::size_t>(NumBlocks(from.num_channels) * block_bytes));
  for (int o = 0; o < from.num_channels; ++o) {
    std::uint8_t* lane = packed.weights.data() + o / kBlockChannels * block_bytes +
                         kLaneBytes * (o % kBlockChannels);
    ForEachElement(window, word_bytes, [&](auto step, auto bit, auto element) {
      const int code = from.codes[o * WindowDepth(window) + element];
      const SignPlace& place = places[static_cast<std::size_t>(step)];
      const std::uint32_t bits = (packed.pairs_pixels ? 0x10001U : 1U) << bit;
      for (int q = 0; q < packed.weight_planes; ++q) {
        if ((std::abs(code) >> q & 1) == 0) continue;
        std::uint8_t* plane = lane + q * packed.weight_plane_bytes;
        if (packed.masks_planes) FlipBits(plane + place.signs + kStepBytes, bits);
        if (code < 0) {
          FlipBits(plane + place.signs, bits);
          if (place.parity != place.signs) FlipBits(plane + place.parity, bits);
          AddInt32(plane + place.count, 1 << q);
        }
      }
    });
  }
  return packed;
}

// A sign and a magnitude; at 1 and 2 bits the sign is all.
int SignProducts(int weight_bits, int activation_bits) {
  return std::max(weight_bits - 1, 1) * activation_bits;
}

// Of kSignWords.
std::vector<std::uint8_t> NegativeCounts(const ConvArgs& args, int num_blocks, int, int) {
  const int all_planes = (1 << args.input_planes) - 1;
  std::vector<std::uint8_t> begins(static_cast<std::size_t>(num_blocks * kStepBytes));
  for (int block = 0; block < num_blocks; ++block) {
    const std::uint8_t* at = args.weights + block * args.weight_block_bytes;
    std::array<std::int32_t, kBlockChannels> sums{};
    for (const DepthRun* run = args.runs; run->num_steps != 0; ++run) {
      for (std::size_t c = 0; c < sums.size(); ++c) {
        std::int32_t count;
        std::memcpy(&count, at + c * sizeof(count), sizeof(count));
        sums[c] -= all_planes * count;
      }
      at += kStepBytes * (1 + std::ptrdiff_t{run->num_steps} * (args.masks_planes ? 2 : 1));
    }
    std::memcpy(begins.data() + block * kStepBytes, sums.data(), sizeof(sums));
  }
  return begins;
}

// Planes take little of a cache themselves.
constexpr int kPlanesBandPixels = 4 * 384;

}  // namespace

namespace conv_formats {

extern constexpr ConvFormat kSignPlanes = {
    .way = "sign planes",
    .input = &kPlanesForm,
    .passes_by_width = true,
    .band_pixels = kPlanesBandPixels,
    .bit_products = SignProducts,
    .pack =
        [](const ConvWindow& window, const ConvWeights& weights) {
          return PackSigns(window, weights, SignWordBytes(window), /*may_have_triples=*/true);
        },
    .part_runs = [](const ConvWindow& window, const FilterPart& part,
                    int) { return RunsOfRows(RowRuns(window, SignWordBytes(window)), part); }};

extern constexpr ConvFormat kSignWords = {
    .way = "sign words",
    .input = &kPlanesForm,
    .passes_by_width = true,
    .band_pixels = kPlanesBandPixels,
    .bit_products = SignProducts,
    .pack =
        [](const ConvWindow& window, const ConvWeights& weights) {
          return PackSigns(window, weights, kWordBytes32, /*may_have_triples=*/false);
        },
    .part_runs = [](const ConvWindow& window, const FilterPart& part,
                    int) { return RunsOfRows(RowRuns(window, kWordBytes32), part); },
    .begins = NegativeCounts};

// Of CPUs that count bits in a word at most.
extern constexpr ConvFormat kPlanes64 = {
    .way = "planes of 64",
    .input = &kPlanesForm,
    .passes_by_width = true,
    .band_pixels = kPlanesBandPixels,
    .superseded_by = CpuFeature::kAvx512Vnni,
    .pack = PackPlanes64,
    .part_runs = [](const ConvWindow& window, const FilterPart& part, int) {
      return RunsOfRows(RowRuns(window, kWordBytes64), part);
    }};

}  // namespace conv_formats
}  // namespace bitpilot
