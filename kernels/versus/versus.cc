#include "kernels/versus/versus.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "kernels/base/window_statistics.h"

namespace bitpilot {
namespace {

std::vector<PairedBlock> Times(const std::vector<VersusBlock>& blocks) {
  std::vector<PairedBlock> times;
  for (const VersusBlock& block : blocks) times.push_back(block.times_ns);
  return times;
}

// `source` becomes that of all blocks.
Result<std::vector<PairedBlock>> Energies(const std::vector<VersusBlock>& blocks,
                                          std::string& source) {
  constexpr std::size_t kFewestBlocks = 2;
  std::vector<PairedBlock> energies;
  std::string reason = "it was not asked for";
  for (const VersusBlock& block : blocks) {
    if (block.energy_uj.first.empty()) {
      if (!block.no_energy_reason.empty()) reason = block.no_energy_reason;
      continue;
    }
    if (source.empty()) source = block.energy_source;
    if (source != block.energy_source) {
      return Status(StatusCode::kUnavailable,
                    "measured by two sources, " + source + " and " + block.energy_source);
    }
    energies.push_back(block.energy_uj);
  }
  if (energies.size() < kFewestBlocks) {
    return Status(StatusCode::kUnavailable,
                  std::to_string(energies.size()) + " of " + std::to_string(blocks.size()) +
                      " blocks have one, " + std::to_string(kFewestBlocks) + " must: " + reason);
  }
  return energies;
}

int NumClasses(const Topology& topology) { return topology.operations.back().out_channels; }

std::string TaskOf(const Topology& topology) {
  const TensorShape& image = topology.input;
  return std::to_string(image.channels) + "x" + std::to_string(image.height) + "x" +
         std::to_string(image.width) + " images and gives " + std::to_string(NumClasses(topology)) +
         " classes";
}

}  // namespace

Status CheckOneTask(const Topology& a, const Topology& b) {
  if (a.input == b.input && NumClasses(a) == NumClasses(b)) return {};
  return InvalidArgument("A takes " + TaskOf(a) + ", B takes " + TaskOf(b) +
                         ": networks of different tasks are not compared");
}

Result<VersusBlocks> MeasureVersus(
    const std::function<Result<VersusBlock>(const VersusTurn&)>& measure,
    const std::function<void(const std::vector<VersusBlock>&)>& on_same) {
  VersusBlocks blocks;
  for (const bool same : {true, false}) {
    std::vector<VersusBlock>& measured = same ? blocks.same : blocks.different;
    int repeats_left = kVersusRepeats;
    for (int block = 0; block < kVersusBlocks; ++block) {
      Result<VersusBlock> one = measure({same, block, std::min(kVersusTries, 1 + repeats_left)});
      if (!one.ok()) return one.status();
      repeats_left -= one->tried - 1;
      measured.push_back(std::move(*one));
    }
    if (same) on_same(blocks.same);
  }
  return blocks;
}

VersusBlock WithAFirst(VersusBlock block, const VersusTurn& turn) {
  if (!turn.second_first()) return block;
  for (PairedBlock* one : {&block.times_ns, &block.wall_ns, &block.energy_uj}) {
    std::swap(one->first, one->second);
    one->second_ran_first = true;
  }
  return block;
}

PairVerdict CompareTimes(const std::vector<VersusBlock>& blocks) {
  return ComparePairs(Times(blocks));
}

VersusVerdict JudgeTimes(const VersusBlocks& blocks) {
  return JudgeVersus(Times(blocks.same), Times(blocks.different));
}

Result<VersusVerdict> JudgeEnergies(const VersusBlocks& blocks) {
  std::string source;
  const Result<std::vector<PairedBlock>> same = Energies(blocks.same, source);
  if (!same.ok()) return same.status();
  const Result<std::vector<PairedBlock>> different = Energies(blocks.different, source);
  if (!different.ok()) return different.status();
  return JudgeVersus(*same, *different);
}

VersusLatencies LatenciesOf(const std::vector<VersusBlock>& different) {
  std::vector<double> a_ns;
  std::vector<double> b_ns;
  for (const VersusBlock& block : different) {
    a_ns.insert(a_ns.end(), block.wall_ns.first.begin(), block.wall_ns.first.end());
    b_ns.insert(b_ns.end(), block.wall_ns.second.begin(), block.wall_ns.second.end());
  }
  return {Median(a_ns), Median(b_ns)};
}

int VersusExitCode(const VersusVerdict& times) {
  if (!times.speed) return kExitNoVerdict;
  return *times.speed == Speed::kSlower ? kExitSlower : 0;
}

std::string DescribeDisturbances(const VersusBlocks& blocks) {
  std::size_t noisy = 0;
  std::string last;
  for (const std::vector<VersusBlock>* kind : {&blocks.same, &blocks.different}) {
    for (const VersusBlock& block : *kind) {
      if (block.disturbance.empty()) continue;
      ++noisy;
      last = block.disturbance;
    }
  }
  if (noisy == 0) return {};
  return std::to_string(noisy) + " of " +
         std::to_string(blocks.same.size() + blocks.different.size()) +
         " blocks stayed NOISY, the last: " + last;
}

}  // namespace bitpilot
