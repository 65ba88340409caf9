#include "agent/results/board_versus.h"

#include <span>
#include <utility>

#include "agent/results/board_comparison.h"
#include "kernels/base/round_comparison.h"

namespace bitpilot {
namespace {

std::vector<double> Times(const NetworkMeasurement& network) {
  const std::span<const double> times = TimesToCompare(network.window_ns, network.window_cpu_ns);
  return {times.begin(), times.end()};
}

// Energy counts where one source measured both networks, in as many windows.
void AddEnergies(const Measurement& measurement, VersusBlock& block) {
  const NetworkMeasurement& first = measurement.networks.front();
  const NetworkMeasurement& second = measurement.networks.back();
  for (const NetworkMeasurement* one : {&first, &second}) {
    if (!one->no_energy_reason.empty()) block.no_energy_reason = one->no_energy_reason;
  }
  if (!first.energy || !second.energy) return;
  if (first.energy->window_uj.size() != second.energy->window_uj.size() ||
      first.energy->window_uj.empty() ||
      first.energy->energy.source() != second.energy->energy.source()) {
    block.no_energy_reason = "the two networks have no windows in common";
    return;
  }
  block.energy_uj = {first.energy->window_uj, second.energy->window_uj};
  block.energy_source = first.energy->energy.source();
}

VersusBlock ToBlock(const BoardComparison& comparison, const VersusTurn& turn) {
  const Measurement& measurement = comparison.measurement;
  VersusBlock block;
  block.times_ns = {Times(measurement.networks.front()), Times(measurement.networks.back())};
  block.wall_ns = {measurement.networks.front().window_ns, measurement.networks.back().window_ns};
  AddEnergies(comparison.with_energy, block);
  block.tried = comparison.comparisons();
  if (measurement.status == MeasureStatus::kNoisy) block.disturbance = measurement.detail;
  return WithAFirst(std::move(block), turn);
}

std::string NameOf(const VersusTurn& turn) {
  return std::string(turn.same ? "two copies of A" : "A and B") + ", block " +
         std::to_string(turn.block + 1) + " of " + std::to_string(kVersusBlocks);
}

}  // namespace

Status CheckMeasures(const Board& board) {
  if (!board.info().is_model()) return Status();
  return Unsupported("board \"" + board.listed_name() + "\" answers from a table (" +
                     board.info().backend +
                     "), in which nothing is measured: --versus needs a board that measures");
}

Result<BoardVersus> CompareVersusOnBoard(Board& board, const VersusJob& job) {
  BITPILOT_RETURN_IF_ERROR(CheckMeasures(board));
  BITPILOT_RETURN_IF_ERROR(CheckOneTask(job.a->topology, job.b->topology));
  BoardVersus result;
  bool is_kept = false;  // the measurement of a NOISY block
  const auto measure = [&](const VersusTurn& turn) -> Result<VersusBlock> {
    const std::string name = NameOf(turn);
    job.notice(name);
    MeasureJob request;
    request.networks = {job.a, turn.same ? job.a : job.b};
    if (turn.second_first()) std::swap(request.networks.front(), request.networks.back());
    request.tier = Tier::kAudit;
    request.window_doublings = job.is_long ? kVersusAuditDoublings : 0;
    request.energy = job.energy;
    Result<BoardComparison> compared = CompareOnBoard(board, request, job.notice, turn.max_tries);
    if (!compared.ok()) return compared.status().WithContext(name);
    VersusBlock block = ToBlock(*compared, turn);
    const auto& measured = compared->measurement.networks;
    result.kernels = (turn.second_first() ? measured.back() : measured.front()).kernels;
    if (!block.disturbance.empty() || !is_kept) {
      result.measurement = std::move(compared->measurement);
      is_kept = !block.disturbance.empty();
    }
    return block;
  };
  Result<VersusBlocks> blocks = MeasureVersus(measure, job.on_same);
  if (!blocks.ok()) return blocks.status();
  result.blocks = std::move(*blocks);
  return result;
}

}  // namespace bitpilot
