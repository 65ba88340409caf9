// Codes as they are, 4 a step, and words of 64 bits that hold the weights of 64 / bits channels, one every `bits` bits,
// added up modulo 2^64, so that a negative one borrows from the next; FieldWords() words hold all 16.
//
//   step s, element i | word 0: ... + w[1][4s+i] 2^bits + w[0][4s+i] | word 1 | ... |     8 bytes each
//   code * word = the products of all its channels, as long as their sums fit `bits`: runs widen in time
#include <cstdint>
#include <cstring>

#include "kernels/conv/conv_steps.h"

namespace bitpilot {
namespace {

constexpr StepRule kSteps = {};

template <int kBits>
int Period(int weight_bits, int activation_bits) {
  return FieldPeriod(kBits, weight_bits, activation_bits);
}

template <int kBits>
PackedConv Pack(const ConvWindow& window, const ConvWeights& from) {
  constexpr std::ptrdiff_t kWordBytes = sizeof(std::uint64_t);
  constexpr std::ptrdiff_t kElementBytes = FieldWords(kBits) * kWordBytes;
  const std::ptrdiff_t block_bytes = NumSteps(window, kSteps) * 4 * kElementBytes;
  PackedConv packed;
  packed.runs = PlanRuns(window, kSteps, Period<kBits>(from.weight_bits, from.activation_bits));
  packed.weights =
      AlignedBuffer(static_cast<std::size_t>(NumBlocks(from.num_channels) * block_bytes));
  for (int o = 0; o < from.num_channels; ++o) {
    const int field = o % kBlockChannels;
    std::uint8_t* block = packed.weights.data() + o / kBlockChannels * block_bytes +
                          field / FieldsPerWord(kBits) * kWordBytes;
    const int shift = field % FieldsPerWord(kBits) * kBits;
    ForEachWeight(window, kSteps, from.codes + o * WindowDepth(window),
                  [&](std::ptrdiff_t step, int element, std::int8_t weight) {
                    std::uint8_t* place = block + (4 * step + element) * kElementBytes;
                    std::uint64_t word;
                    std::memcpy(&word, place, sizeof(word));
                    word += static_cast<std::uint64_t>(std::int64_t{weight}) << shift;
                    std::memcpy(place, &word, sizeof(word));
                  });
  }
  return packed;
}

// Of CPUs without vectors: one multiplication at a time.
template <int kBits>
constexpr ConvFormat Fields(std::string_view way) {
  return {.way = way,
          .superseded_by = CpuFeature::kSse4 | CpuFeature::kNeon,
          .widen_period = Period<kBits>,
          .pack = Pack<kBits>,
          .part_runs = [](const ConvWindow& window, const FilterPart& part, int period) {
            return PlanPartRuns(window, kSteps, part, period);
          }};
}

}  // namespace

namespace conv_formats {

extern constexpr ConvFormat kFields8 = Fields<8>("fields of 8 bits");
extern constexpr ConvFormat kFields10 = Fields<10>("fields of 10 bits");
extern constexpr ConvFormat kFields16 = Fields<16>("fields of 16 bits");
extern constexpr ConvFormat kFields21 = Fields<21>("fields of 21 bits");

}  // namespace conv_formats
}  // namespace bitpilot
