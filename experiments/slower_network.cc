#include "experiments/slower_network.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <utility>

#include "agent/fleet/measure_parts.h"
#include "kernels/base/round_comparison.h"
#include "kernels/base/standard_networks.h"
#include "kernels/base/window_statistics.h"

namespace bitpilot {
namespace {

// Ratios of all but the first to the first, in as many parts as the board takes.
Status AddRatios(Board& board, const std::vector<const Network*>& networks,
                 std::vector<std::vector<double>>& ratios) {
  std::size_t next = 0;
  for (const std::vector<const Network*>& part : PartsThatFit(networks, board.info().limits)) {
    MeasureJob job;
    job.networks = part;
    job.tier = Tier::kStandard;
    const Result<Measurement> measured = board.Measure(job);
    if (!measured.ok()) return measured.status();
    if (!HasNumbers(measured->status)) {
      return Status(StatusCode::kUnavailable, "the board gave no numbers: " + measured->detail);
    }
    for (std::size_t i = 1; i < measured->networks.size(); ++i) {
      ratios[next++].push_back(RatioOfRounds(measured->networks[i].window_cpu_ns,
                                             measured->networks.front().window_cpu_ns)
                                   .median);
    }
  }
  return {};
}

}  // namespace

Network WidenedResNet20(const std::string& block, int extra) {
  Topology topology = StandardTopology("resnet20").value();
  for (Operation& operation : topology.operations) {
    if (operation.name == block + ".conv1") operation.out_channels += extra;
  }
  return RandomNetwork(topology, UniformAssignment(topology, 8, 8), 1);
}

Result<SlowerNetwork> FindSlowerNetwork(Board& board, const Network& base,
                                        const std::vector<std::string>& blocks,
                                        const std::vector<int>& extras, double ratio) {
  constexpr int kLooks = 3;
  std::vector<SlowerNetwork> all;
  for (const std::string& block : blocks) {
    for (const int extra : extras) {
      all.push_back({WidenedResNet20(block, extra), block, extra, 0.0});
    }
  }
  std::vector<const Network*> networks{&base};
  for (const SlowerNetwork& one : all) networks.push_back(&one.network);
  std::vector<std::vector<double>> ratios(all.size());
  for (int look = 0; look < kLooks; ++look) {
    BITPILOT_RETURN_IF_ERROR(AddRatios(board, networks, ratios));
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    all[i].ratio = Median(ratios[i]);
    std::printf("%s +%d: %.4f\n", all[i].block.c_str(), all[i].extra, all[i].ratio);
  }
  std::fflush(stdout);
  return std::move(*std::min_element(all.begin(), all.end(),
                                     [ratio](const SlowerNetwork& a, const SlowerNetwork& b) {
                                       return std::abs(a.ratio - ratio) < std::abs(b.ratio - ratio);
                                     }));
}

}  // namespace bitpilot
