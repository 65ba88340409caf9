// Every convolution kernel of the table on typical layers: multiply-accumulates a nanosecond, and
// the speed-up over the exact 8-bit kernel of the same instruction set. Rows take turns; thread CPU
// time, medians.
//
//   kernel_bench [rounds]
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "kernels/base/network.h"
#include "kernels/compiled_network.h"
#include "kernels/conv.h"

namespace bitpilot {
namespace {

struct Layer {
  const char* name;
  int channels;
  int size;
  int kernel;
  int out_channels;
};

constexpr Layer kLayers[] = {{"16->16 @32", 16, 32, 3, 16},
                             {"32->32 @16", 32, 16, 3, 32},
                             {"64->64 @8", 64, 8, 3, 64},
                             {"256->256 @14", 256, 14, 3, 256},
                             {"1x1 960->320 @7", 960, 7, 1, 320}};
constexpr int kMeasuredOperation = 1;

Operation MakeConvolution(const char* name, int input, int out_channels, int kernel) {
  Operation operation;
  operation.name = name;
  operation.input = input;
  operation.out_channels = out_channels;
  operation.kernel_h = operation.kernel_w = kernel;
  const int padding = kernel / 2;
  operation.padding = {padding, padding, padding, padding};
  operation.activation = Activation::kRelu;
  return operation;
}

// The layer behind a 1x1 convolution, which gives its input the wanted width, and before a pooling
// to one pixel.
Topology TopologyOf(const Layer& layer) {
  Topology topology;
  topology.name = "layer";
  topology.input = {layer.size, layer.size, 1};
  Operation pool;
  pool.kind = OperationKind::kAveragePool;
  pool.name = "pool";
  pool.input = 2;
  pool.out_channels = layer.out_channels;
  pool.kernel_h = pool.kernel_w = layer.size;
  topology.operations = {MakeConvolution("before", 0, layer.channels, 1),
                         MakeConvolution("measured", 1, layer.out_channels, layer.kernel), pool};
  return topology;
}

// Widths that a row is measured at.
struct Widths {
  int weight_bits;
  int activation_bits;
};

// The widest that the row is exact for; several where its cost is their product.
std::vector<Widths> WidthsOf(const ConvKernel& kernel) {
  if (IsPlanes(kernel.operand)) {
    return {{1, 1}, {1, 2}, {2, 2}, {1, 4}};
  }
  return {{kernel.max_weight_bits, kernel.max_activation_bits}};
}

bool IsChosen(const Layer& layer, const ConvKernel& kernel, const Widths& widths) {
  const int depth = layer.kernel * layer.kernel * layer.channels;
  return SelectConvKernel(kernel.isa, widths.weight_bits, widths.activation_bits, depth,
                          layer.size * layer.size)
             .name == kernel.name;
}

// One row of the table on one layer.
class Candidate {
 public:
  Candidate(const Layer& layer, const ConvKernel& kernel, const Widths& widths)
      : kernel_(kernel), widths_(widths), network_(Compile(layer, kernel, widths)) {
    pixels_.resize(static_cast<std::size_t>(layer.size) * static_cast<std::size_t>(layer.size),
                   100);
    logits_.resize(static_cast<std::size_t>(layer.out_channels));
  }

  void Measure() {
    std::vector<std::int64_t> nanoseconds(static_cast<std::size_t>(network_.num_operations()));
    network_.RunTimed(pixels_, logits_, nanoseconds);
    samples_.push_back(nanoseconds[kMeasuredOperation]);
  }

  double MedianNs() const {
    std::vector<std::int64_t> sorted = samples_;
    std::sort(sorted.begin(), sorted.end());
    return static_cast<double>(sorted[sorted.size() / 2]);
  }

  const ConvKernel& kernel() const { return kernel_; }
  const Widths& widths() const { return widths_; }

 private:
  static CompiledNetwork Compile(const Layer& layer, const ConvKernel& kernel,
                                 const Widths& widths) {
    const Topology topology = TopologyOf(layer);
    BitAssignment assignment = UniformAssignment(topology, 8, 8);
    assignment.weight_bits[kMeasuredOperation] = {{layer.out_channels, widths.weight_bits}};
    assignment.activation_bits[kMeasuredOperation] = widths.activation_bits;
    Result<CompiledNetwork> network = CompiledNetwork::Create(
        RandomNetwork(topology, assignment, /*seed=*/1), {.isa = kernel.isa});
    BITPILOT_CHECK(network.ok());
    return std::move(network).value();
  }

  ConvKernel kernel_;
  Widths widths_;
  CompiledNetwork network_;
  std::vector<std::uint8_t> pixels_;
  std::vector<float> logits_;
  std::vector<std::int64_t> samples_;
};

// Where the exact 8-bit kernel is that a level is compared with: POPCNT brings none of its own.
Isa Exact8Isa(Isa isa) { return isa == Isa::kScalarPopcnt ? Isa::kScalar : isa; }

void BenchLayer(const Layer& layer, int rounds) {
  std::vector<Candidate> candidates;
  for (const ConvKernel& kernel : AllConvKernels()) {
    if (CpuSupports(kernel.isa)) {
      for (const Widths& widths : WidthsOf(kernel)) {
        if (IsChosen(layer, kernel, widths)) {
          candidates.emplace_back(layer, kernel, widths);
        }
      }
    }
  }
  for (int round = 0; round < rounds; ++round) {
    for (Candidate& candidate : candidates) {
      candidate.Measure();
    }
  }
  const auto macs = static_cast<double>(Macs(TopologyOf(layer), kMeasuredOperation));
  std::printf("%s, %.2f million multiply-accumulates\n", layer.name, macs / 1e6);
  for (const Candidate& candidate : candidates) {
    const auto exact8 =
        std::find_if(candidates.begin(), candidates.end(), [&](const Candidate& other) {
          return other.kernel().isa == Exact8Isa(candidate.kernel().isa) &&
                 other.widths().weight_bits == 8 && other.widths().activation_bits == 8;
        });
    const double median_ns = candidate.MedianNs();
    std::printf("  %-31s w%da%d %10.2f us %8.1f MAC/ns %6.2f x w8a8\n",
                std::string(candidate.kernel().name).c_str(), candidate.widths().weight_bits,
                candidate.widths().activation_bits, median_ns / 1e3, macs / median_ns,
                exact8->MedianNs() / median_ns);
  }
}

}  // namespace
}  // namespace bitpilot

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 51;
  if (rounds < 1) {
    std::fprintf(stderr, "usage: kernel_bench [rounds]\n");
    return 2;
  }
  for (const bitpilot::Layer& layer : bitpilot::kLayers) {
    bitpilot::BenchLayer(layer, rounds);
  }
  return 0;
}
