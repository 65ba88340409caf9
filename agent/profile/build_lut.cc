#include "agent/profile/build_lut.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <tuple>
#include <utility>

#include "agent/fleet/board_conditions.h"
#include "kernels/base/window_statistics.h"

namespace bitpilot {
namespace {

// One network of the profile.
struct Observation {
  const BitAssignment* assignment;
  const ProfileSample* sample;
};

// Weight and activation bits of an operation; 0, 0 without weights.
using Widths = std::pair<int, int>;
// A shape's index, and widths.
using PoolKey = std::pair<int, Widths>;

struct Pool {
  std::vector<double> samples_ns;
  std::map<std::string, int> kernels;  // how often each ran
};

// Operations of equal shape get the same number.
std::vector<int> ShapeOfOperation(const Topology& topology) {
  const std::vector<TensorShape> shapes = TensorShapes(topology);
  std::vector<std::pair<Operation, TensorShape>> known;
  std::vector<int> shape_of_operation;
  for (const Operation& op : topology.operations) {
    const TensorShape input = shapes[static_cast<std::size_t>(op.input)];
    Operation anonymous = op;
    anonymous.name.clear();
    anonymous.input = 0;
    anonymous.residual = op.residual < 0 ? -1 : 0;
    const std::pair<Operation, TensorShape> shape(anonymous, input);
    const auto found = std::find(known.begin(), known.end(), shape);
    shape_of_operation.push_back(static_cast<int>(found - known.begin()));
    if (found == known.end()) known.push_back(shape);
  }
  return shape_of_operation;
}

// To a picosecond: digits beyond it mean nothing, and would double the file.
double Rounded(double ns) { return std::round(ns * 1e3) / 1e3; }

// Of a timed operation's time, at least this is its own.
constexpr double kLeastShare = 1e-3;

double Sum(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

class LutBuilder {
 public:
  LutBuilder(const Topology& topology, const std::vector<Observation>& observations,
             double reference_ns)
      : topology_(topology),
        shape_of_operation_(ShapeOfOperation(topology)),
        layer_operations_(LayerOperations(topology)),
        timer_ns_(TimerNs(observations)) {
    for (const Observation& observation : observations) Add(observation, reference_ns);
  }

  // Layers in network order with their widths ascending, then the operations without weights.
  std::vector<LutEntry> Entries() const {
    std::vector<LutEntry> entries;
    for (const int operation : layer_operations_) AppendEntries(operation, entries);
    for (int operation = 0; operation < topology_.num_operations(); ++operation) {
      if (!HasWeights(topology_.operations[static_cast<std::size_t>(operation)]))
        AppendEntries(operation, entries);
    }
    return entries;
  }

 private:
  // What timing one operation adds to it.
  static double TimerNs(const std::vector<Observation>& observations) {
    std::vector<double> excess_ns;
    excess_ns.reserve(observations.size());
    for (const auto& [assignment, sample] : observations) {
      excess_ns.push_back((Sum(sample->operation_ns) - sample->cpu_ns) /
                          static_cast<double>(sample->operation_ns.size()));
    }
    return std::max(0.0, Median(excess_ns));
  }

  void Add(const Observation& observation, double reference_ns) {
    std::vector<double> shares = observation.sample->operation_ns;
    // No operation is free, though in a disturbed profile the timer may seem to take all of its
    // time.
    for (double& share : shares) share = std::max(kLeastShare * share, share - timer_ns_);
    const double scale = observation.sample->ratio * reference_ns / Sum(shares);
    std::size_t layer = 0;
    for (std::size_t i = 0; i < shares.size(); ++i) {
      const Operation& op = topology_.operations[i];
      Widths widths(0, 0);
      if (HasWeights(op)) {
        widths = {observation.assignment->weight_bits[layer++].front().bits,
                  observation.assignment->activation_bits[static_cast<std::size_t>(op.input)]};
      }
      Pool& pool = pools_[{shape_of_operation_[i], widths}];
      pool.samples_ns.push_back(scale * shares[i]);
      ++pool.kernels[observation.sample->kernels[i]];
    }
  }

  void AppendEntries(int operation, std::vector<LutEntry>& entries) const {
    const auto index = static_cast<std::size_t>(operation);
    const Operation& op = topology_.operations[index];
    const std::int64_t weights =
        HasWeights(op) ? WeightDepth(topology_, operation) * op.out_channels : 0;
    const int shape = shape_of_operation_[index];
    for (auto it = pools_.lower_bound({shape, {0, 0}});
         it != pools_.end() && it->first.first == shape; ++it) {
      const Widths& widths = it->first.second;
      const Pool& pool = it->second;
      const MedianInterval interval = SignTestInterval(pool.samples_ns);
      LutEntry entry;
      entry.operation = op.name;
      std::tie(entry.weight_bits, entry.activation_bits) = widths;
      entry.latency_ns = Rounded(interval.median);
      entry.latency_low_ns = Rounded(interval.low);
      entry.latency_high_ns = Rounded(interval.high);
      entry.confidence = interval.confidence;
      entry.samples = static_cast<int>(pool.samples_ns.size());
      entry.kernel = MostFrequent(pool.kernels);
      entry.weight_bytes = (weights * entry.weight_bits + 7) / 8;
      entries.push_back(std::move(entry));
    }
  }

  static std::string MostFrequent(const std::map<std::string, int>& counts) {
    return std::max_element(counts.begin(), counts.end(),
                            [](const auto& a, const auto& b) { return a.second < b.second; })
        ->first;
  }

  const Topology& topology_;
  std::vector<int> shape_of_operation_;
  std::vector<int> layer_operations_;
  double timer_ns_;
  std::map<PoolKey, Pool> pools_;
};

bool Fits(const Topology& topology, const ProfileSample& sample) {
  const auto operations = topology.operations.size();
  return sample.operation_ns.size() == operations && sample.kernels.size() == operations &&
         Sum(sample.operation_ns) > 0.0;
}

}  // namespace

Result<double> PredictRatio(const CostTable& table, const Topology& topology,
                            const BitAssignment& assignment) {
  const Result<Cost> cost = PredictCost(table, topology, assignment);
  if (!cost.ok()) return cost.status();
  const Result<Cost> uniform8 =
      PredictCost(table, topology, UniformAssignment(topology, 8, 8, /*search_ends=*/true));
  if (!uniform8.ok()) return uniform8.status();
  return cost->latency_ns / uniform8->latency_ns;
}

Result<Lut> BuildLut(const Topology& topology, const ProfilePlan& plan, const ProfileData& data) {
  const bool may_end_early = data.settings.bounded && !data.results.empty();
  if (data.results.size() > plan.jobs.size() ||
      (data.results.size() < plan.jobs.size() && !may_end_early)) {
    return DataCorrupt("the profile has " + std::to_string(data.results.size()) + " of " +
                       std::to_string(plan.jobs.size()) + " measurements");
  }
  const BitAssignment uniform8 = UniformAssignment(topology, 8, 8, /*search_ends=*/true);
  std::vector<Observation> observations;
  std::vector<Observation> checks;
  std::vector<double> reference_ns;
  std::vector<double> disturbed_cpu_ns;
  Lut lut;
  for (std::size_t j = 0; j < data.results.size(); ++j) {
    const ProfileJob& job = plan.jobs[j];
    const ProfileJobResult& result = data.results[j];
    bool fits = result.samples.size() == job.assignments.size() && Fits(topology, result.uniform8);
    for (const ProfileSample& sample : result.samples) fits = fits && Fits(topology, sample);
    if (!fits) {
      return DataCorrupt("measurement " + std::to_string(j) +
                         " of the profile lacks networks or times of operations");
    }
    if (result.noisy) {
      disturbed_cpu_ns.push_back(result.uniform8.cpu_ns);
    } else {
      reference_ns.push_back(result.uniform8.latency_ns);
    }
    observations.push_back({&uniform8, &result.uniform8});
    for (std::size_t i = 0; i < job.assignments.size(); ++i)
      (job.is_check ? checks : observations).push_back({&job.assignments[i], &result.samples[i]});
    lut.networks += static_cast<int>(job.assignments.size());
    if (result.noisy) lut.disturbed += static_cast<int>(job.assignments.size());
  }
  const MedianInterval reference =
      SignTestInterval(reference_ns.empty() ? disturbed_cpu_ns : reference_ns);
  constexpr std::string_view kModel = "MODEL:";
  const bool of_model = data.source.starts_with(kModel);
  lut.name =
      data.settings.model + "-" + (of_model ? data.source.substr(kModel.size()) : data.board.isa);
  lut.model = data.settings.model;
  lut.source = data.source;
  lut.board = data.board;
  lut.fingerprint = FingerprintOf(data.board);
  lut.bits = data.settings.bits;
  lut.quick = data.settings.quick;
  if (reference_ns.empty()) lut.reference_clock = "thread CPU";
  lut.reference_ns = Rounded(reference.median);
  lut.reference_low_ns = Rounded(reference.low);
  lut.reference_high_ns = Rounded(reference.high);
  lut.entries = LutBuilder(topology, observations, reference.median).Entries();
  // A model's kernels only check the outputs: no entry is their time.
  for (LutEntry& entry : lut.entries) {
    if (of_model) entry.kernel.clear();
  }
  const CostTable table = ToCostTable(lut);
  for (const auto& [assignment, sample] : checks) {
    const Result<double> ratio = PredictRatio(table, topology, *assignment);
    if (!ratio.ok()) return ratio.status();
    lut.checks.push_back(
        {CanonicalText(*assignment), *ratio, sample->ratio, sample->ratio_low, sample->ratio_high});
  }
  return lut;
}

}  // namespace bitpilot
