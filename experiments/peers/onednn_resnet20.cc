// Our kernels and oneDNN side by side on one network and one instruction set: strict alternation in
// one process, one thread, thread CPU time, medians. Both start from a float32 image and end at
// logits.
//
//   onednn_resnet20 [avx2|avx512vnni] [resnet20-proj|resnet8] [rounds]
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "experiments/peers/onednn_network.h"
#include "kernels/base/standard_networks.h"
#include "kernels/compiled_network.h"

namespace bitpilot {
namespace {

struct Widths {
  int weight_bits;
  int activation_bits;
};

constexpr Widths kWidths[] = {{8, 8}, {7, 8}, {4, 8}, {4, 4}, {2, 2}};
constexpr int kRunsPerRound = 10;

double ThreadCpuUs() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return 1e6 * static_cast<double>(now.tv_sec) + 1e-3 * static_cast<double>(now.tv_nsec);
}

// Ours, from a float32 image [C, H, W] of values in [0, 255].
class Candidate {
 public:
  Candidate(const Topology& topology, Widths widths, Isa isa)
      : image_(static_cast<std::size_t>(topology.input.elements()), 100.0F),
        pixels_(image_.size()),
        logits_(static_cast<std::size_t>(topology.operations.back().out_channels)),
        network_(Compile(topology, widths, isa)) {}

  void Run() {
    for (std::size_t i = 0; i < image_.size(); ++i) {
      pixels_[i] = static_cast<std::uint8_t>(static_cast<int>(image_[i] + 0.5F));
    }
    network_.Run(pixels_, logits_);
  }

 private:
  static CompiledNetwork Compile(const Topology& topology, Widths widths, Isa isa) {
    const BitAssignment assignment =
        UniformAssignment(topology, widths.weight_bits, widths.activation_bits);
    Result<CompiledNetwork> network =
        CompiledNetwork::Create(RandomNetwork(topology, assignment, /*seed=*/1), {.isa = isa});
    if (!network.ok()) {
      std::fprintf(stderr, "%s\n", network.status().message().c_str());
      std::exit(1);
    }
    return std::move(network).value();
  }

  std::vector<float> image_;
  std::vector<std::uint8_t> pixels_;
  std::vector<float> logits_;
  CompiledNetwork network_;
};

template <class Runner>
double TimeRound(Runner& runner) {
  runner.Run();
  const double begin = ThreadCpuUs();
  for (int i = 0; i < kRunsPerRound; ++i) {
    runner.Run();
  }
  return (ThreadCpuUs() - begin) / kRunsPerRound;
}

double Median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

void Compare(const Topology& topology, Isa isa, int rounds) {
  OneDnnNetwork peer(topology);
  std::fill_n(peer.image(), topology.input.elements(), 100.0F);
  std::vector<Candidate> ours;
  for (const Widths widths : kWidths) {
    ours.emplace_back(topology, widths, isa);
  }
  std::vector<double> peer_us;
  std::vector<std::vector<double>> our_us(ours.size());
  for (int round = 0; round < rounds; ++round) {
    peer_us.push_back(TimeRound(peer));
    for (std::size_t i = 0; i < ours.size(); ++i) {
      our_us[i].push_back(TimeRound(ours[i]));
    }
  }
  const double peer_median = Median(peer_us);
  const double w8a8_median = Median(our_us.front());
  std::printf("%-8s %10s %9s %9s\n", "", "median us", "/ oneDNN", "/ w8a8");
  std::printf("%-8s %10.1f %9.2f %9.2f\n", "oneDNN", peer_median, 1.0, peer_median / w8a8_median);
  for (std::size_t i = 0; i < ours.size(); ++i) {
    const double median = Median(our_us[i]);
    const std::string name = "w" + std::to_string(kWidths[i].weight_bits) + "a" +
                             std::to_string(kWidths[i].activation_bits);
    std::printf("%-8s %10.1f %9.2f %9.2f\n", name.c_str(), median, median / peer_median,
                median / w8a8_median);
  }
}

int Main(int argc, char** argv) {
  const std::string isa_name = argc > 1 ? argv[1] : "avx2";
  const std::string network_name = argc > 2 ? argv[2] : "resnet20-proj";
  const int rounds = argc > 3 ? std::atoi(argv[3]) : 101;
  const Result<Isa> isa = ParseIsa(isa_name);
  const Result<Topology> topology = StandardTopology(network_name);
  if (!isa.ok() || !topology.ok() || rounds < 1) {
    std::fprintf(stderr,
                 "usage: onednn_resnet20 [avx2|avx512vnni] [resnet20-proj|resnet8] [rounds]\n");
    return 2;
  }
  // Before the library's first use, or it has no effect.
  const dnnl::cpu_isa peer_isa =
      *isa == Isa::kAvx512Vnni ? dnnl::cpu_isa::avx512_core_vnni : dnnl::cpu_isa::avx2;
  if (dnnl::set_max_cpu_isa(peer_isa) != dnnl::status::success) {
    std::fprintf(stderr, "oneDNN refuses to be limited to %s\n", isa_name.c_str());
    return 1;
  }
  Compare(*topology, *isa, rounds);
  return 0;
}

}  // namespace
}  // namespace bitpilot

int main(int argc, char** argv) { return bitpilot::Main(argc, argv); }
