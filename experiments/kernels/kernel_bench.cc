// Convolution and fully connected kernels on typical layers: multiply-accumulates a nanosecond, and
// the speed-up over the fastest exact 8-bit kernel of the same instruction set. All take turns;
// thread CPU time, medians.
//
//   kernel_bench [rounds] [instruction set] [part of a layer's name]
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "experiments/kernels/plain_loops.h"
#include "experiments/kernels/timed_layer.h"
#include "kernels/conv/conv.h"
#include "kernels/conv/conv_format.h"
#include "kernels/cpu/thread_cpu_time.h"
#include "kernels/runtime/conv_tuner.h"

namespace bitpilot {
namespace {

constexpr LayerShape kLayers[] = {
    {"16->16 @32", 16, 32, 3, 16},       {"32->32 @16", 32, 16, 3, 32},
    {"64->64 @8", 64, 8, 3, 64},         {"256->256 @14", 256, 14, 3, 256},
    {"1x1 960->320 @7", 960, 7, 1, 320}, {"FC 512->1024", 512, 1, 0, 1024},
    {"FC 1280->1000", 1280, 1, 0, 1000}, {"FC 4096->4096", 4096, 1, 0, 4096},
    {"depthwise 96 @56", 96, 56, 3, 0},
};

struct Widths {
  int weight_bits;
  int activation_bits;
};
constexpr Widths kWidths[] = {{8, 8}, {7, 8}, {4, 8}, {4, 4}, {2, 8}, {2, 4},
                              {2, 2}, {1, 8}, {1, 4}, {1, 2}, {1, 1}};
// Short runs are timed several at once: the clock takes half a microsecond.
constexpr double kSampleMacs = 4e7;
// Convolutions of the means at the end: all but the second.
constexpr int kMeanLayers[] = {0, 2, 3, 4};

struct Candidate {
  std::string kernel;
  Widths widths;
  std::unique_ptr<TimedLayer> layer;  // Null: plain loops.
  Samples samples;
  Samples conversions;  // Of the input alone.

  double LayerNs() const { return samples.MedianNs(); }
  // From converted input to codes.
  double KernelNs() const {
    return samples.MedianNs() - (layer != nullptr ? conversions.MedianNs() : 0.0);
  }
};

PlainLayer MakePlainLayer(const LayerShape& shape) {
  PlainLayer layer = {shape.channels,
                      shape.size,
                      std::max(shape.filter, 1),
                      shape.out_channels,
                      {},
                      {},
                      {},
                      {},
                      {}};
  std::mt19937 random(1);
  const int side = layer.size + layer.filter - 1;
  layer.input.resize(static_cast<std::size_t>(side * side * layer.channels));
  std::generate(layer.input.begin(), layer.input.end(),
                [&random] { return static_cast<std::uint8_t>(random()); });
  layer.weights.resize(
      static_cast<std::size_t>(layer.out_channels * layer.filter * layer.filter * layer.channels));
  std::generate(layer.weights.begin(), layer.weights.end(), [&random] {
    return static_cast<std::int8_t>(static_cast<int>(random() % 255) - 127);
  });
  layer.scale.assign(static_cast<std::size_t>(layer.out_channels), 1e-3F);
  layer.bias.assign(layer.scale.size(), 1.0F);
  layer.output.resize(static_cast<std::size_t>(layer.size * layer.size * layer.out_channels));
  return layer;
}

// Rows of the table that are exact for `widths` on such a layer: all of this instruction set, whether
// or not a plan would consider them, and of lower ones those that a plan would time beside them.
std::vector<const ConvKernel*> ExactKernels(const LayerShape& shape, Isa isa,
                                            const Widths& widths) {
  const std::vector<const ConvKernel*> timed_by_plans =
      ConvCandidates(isa, widths.weight_bits, widths.activation_bits, shape.output_pixels());
  std::vector<const ConvKernel*> kernels;
  for (const ConvKernel& kernel : AllConvKernels()) {
    const bool exact = widths.weight_bits <= kernel.max_weight_bits &&
                       widths.activation_bits <= kernel.max_activation_bits &&
                       kernel.format->SuitsPixels(shape.output_pixels());
    const bool timed =
        std::find(timed_by_plans.begin(), timed_by_plans.end(), &kernel) != timed_by_plans.end();
    if (timed || (exact && LevelWith(kernel.features) == isa)) kernels.push_back(&kernel);
  }
  return kernels;
}

std::vector<Candidate> MakeCandidates(const LayerShape& shape, Isa isa) {
  std::vector<Candidate> candidates;
  if (isa <= Isa::kScalarPopcnt && !shape.depthwise()) {
    candidates.push_back({"plain loops", {8, 8}, nullptr, {}, {}});
  }
  for (const Widths& widths : kWidths) {
    if (shape.depthwise()) {  // The widths decide the kernel: a plan times none.
      auto layer =
          std::make_unique<TimedLayer>(shape, isa, widths.weight_bits, widths.activation_bits);
      std::string kernel = layer->kernel_name();
      candidates.push_back({std::move(kernel), widths, std::move(layer), {}, {}});
      continue;
    }
    for (const ConvKernel* kernel : ExactKernels(shape, isa, widths)) {
      candidates.push_back(
          {std::string(kernel->name),
           widths,
           std::make_unique<TimedLayer>(shape, *kernel, widths.weight_bits, widths.activation_bits),
           {},
           {}});
    }
  }
  return candidates;
}

// Nanoseconds of a run of f().
template <class F>
double TimeNs(int runs, F f) {
  f();  // Loads the caches.
  const std::int64_t start = ThreadCpuNs();
  for (int run = 0; run < runs; ++run) f();
  return static_cast<double>(ThreadCpuNs() - start) / runs;
}

void Measure(const LayerShape& shape, int rounds, std::vector<Candidate>& candidates) {
  PlainLayer plain = MakePlainLayer(shape);
  const int runs = std::max(1, static_cast<int>(kSampleMacs / shape.macs()));
  for (int round = 0; round < rounds; ++round) {
    for (Candidate& candidate : candidates) {
      if (candidate.layer == nullptr) {
        candidate.samples.Add(TimeNs(runs, [&] { RunPlainLoops(plain); }));
        continue;
      }
      candidate.samples.Add(TimeNs(runs, [&] { candidate.layer->Run(); }));
      candidate.conversions.Add(candidate.layer->converts_input()
                                    ? TimeNs(runs, [&] { candidate.layer->ConvertInput(); })
                                    : 0.0);
    }
  }
}

using Scope = double (Candidate::*)() const;

// Of the fastest exact 8-bit kernel.
double Exact8Ns(const std::vector<Candidate>& candidates, Scope scope) {
  double exact8_ns = 0.0;
  for (const Candidate& candidate : candidates) {
    if (candidate.layer != nullptr && candidate.widths.weight_bits == 8) {
      const double ns = (candidate.*scope)();
      exact8_ns = exact8_ns == 0.0 ? ns : std::min(exact8_ns, ns);
    }
  }
  return exact8_ns;
}

// Speed-ups of the fastest kernel of each of kWidths over the fastest exact 8-bit one.
std::vector<double> FastestSpeedups(const std::vector<Candidate>& candidates, Scope scope) {
  const double exact8_ns = Exact8Ns(candidates, scope);
  std::vector<double> speedups;
  for (const Widths& widths : kWidths) {
    double best = 0.0;
    for (const Candidate& candidate : candidates) {
      if (candidate.layer != nullptr && candidate.widths.weight_bits == widths.weight_bits &&
          candidate.widths.activation_bits == widths.activation_bits) {
        best = std::max(best, exact8_ns / (candidate.*scope)());
      }
    }
    speedups.push_back(best);
  }
  return speedups;
}

// FastestSpeedups() of whole layers and of their kernels alone; empty if not measured.
struct LayerSpeedups {
  std::vector<double> layer;
  std::vector<double> kernel;
};

LayerSpeedups BenchLayer(const LayerShape& shape, Isa isa, int rounds) {
  std::vector<Candidate> candidates = MakeCandidates(shape, isa);
  Measure(shape, rounds, candidates);
  const double exact8_ns = Exact8Ns(candidates, &Candidate::LayerNs);
  std::printf("%s, %s: %.2f million multiply-accumulates\n", std::string(ToString(isa)).c_str(),
              shape.name, shape.macs() / 1e6);
  for (const Candidate& candidate : candidates) {
    const double ns = candidate.LayerNs();
    std::printf("  w%da%d %-32s %10.2f us, %7.2f of it conversion, %8.1f MAC/ns %6.2f x w8a8\n",
                candidate.widths.weight_bits, candidate.widths.activation_bits,
                candidate.kernel.c_str(), ns / 1e3, (ns - candidate.KernelNs()) / 1e3,
                shape.macs() / ns, exact8_ns / ns);
  }
  return {FastestSpeedups(candidates, &Candidate::LayerNs),
          FastestSpeedups(candidates, &Candidate::KernelNs)};
}

// speedups: [layer of kLayers].   scope: whose speed-ups to take.
void PrintMeans(const std::vector<LayerSpeedups>& speedups,
                std::vector<double> LayerSpeedups::*scope) {
  for (std::size_t w = 0; w < std::size(kWidths); ++w) {
    double product = 1.0;
    for (const int layer : kMeanLayers) {
      product *= (speedups[static_cast<std::size_t>(layer)].*scope)[w];
    }
    std::printf(" w%da%d %.2f", kWidths[w].weight_bits, kWidths[w].activation_bits,
                std::pow(product, 1.0 / std::size(kMeanLayers)));
  }
  std::printf("\n");
}

void PrintMeans(Isa isa, const std::vector<LayerSpeedups>& speedups) {
  for (const int layer : kMeanLayers) {
    if (speedups[static_cast<std::size_t>(layer)].layer.empty()) return;
  }
  std::printf("%s: geometric means over", std::string(ToString(isa)).c_str());
  for (const int layer : kMeanLayers) std::printf(" | %s", kLayers[layer].name);
  std::printf(" |, the fastest kernel of each width, over w8a8\n  layers: ");
  PrintMeans(speedups, &LayerSpeedups::layer);
  std::printf("  kernels, given planes or tables, requantization included: ");
  PrintMeans(speedups, &LayerSpeedups::kernel);
}

}  // namespace
}  // namespace bitpilot

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 21;
  const std::string_view isa_name = argc > 2 ? argv[2] : "";
  const std::string_view layer_name = argc > 3 ? argv[3] : "";
  if (rounds < 1 || argc > 4) {
    std::fprintf(stderr,
                 "usage: kernel_bench [rounds] [instruction set] [part of a layer's name]\n");
    return 2;
  }
  for (const bitpilot::Isa isa : bitpilot::SupportedIsas()) {
    if (!isa_name.empty() && bitpilot::ToString(isa) != isa_name) continue;
    std::vector<bitpilot::LayerSpeedups> speedups(std::size(bitpilot::kLayers));
    for (std::size_t i = 0; i < speedups.size(); ++i) {
      const bitpilot::LayerShape& shape = bitpilot::kLayers[i];
      if (std::string_view(shape.name).find(layer_name) != std::string_view::npos) {
        speedups[i] = bitpilot::BenchLayer(shape, isa, rounds);
      }
    }
    bitpilot::PrintMeans(isa, speedups);
  }
  return 0;
}
