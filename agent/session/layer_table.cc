#include "agent/session/layer_table.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "agent/study/measurement_rows.h"
#include "kernels/base/window_statistics.h"

namespace bitpilot {
namespace {

constexpr std::uint64_t kWeightSeed = 1;  // any: times do not depend on the data
constexpr int kNoWidth = 0;               // key of operations without weights

using WidthPair = std::pair<int, int>;  // weights, activations
using Key = std::tuple<std::string, int, int>;

// 8 bits first, then pairs of equal widths, then the rest: an early stop leaves the most useful
// part.
std::vector<WidthPair> GridInOrder(const SearchConfig& config) {
  std::set<WidthPair> grid = {{8, 8}};
  for (const int weights : config.weight_widths) {
    for (const int activations : config.activation_widths) grid.insert({weights, activations});
  }
  std::vector<WidthPair> order(grid.rbegin(), grid.rend());
  std::stable_partition(order.begin(), order.end(),
                        [](const WidthPair& pair) { return pair.first == pair.second; });
  return order;
}

Key KeyOf(const Topology& topology, const BitAssignment& assignment,
          const std::vector<int>& layer_of_operation, int operation) {
  const Operation& op = topology.operations[static_cast<std::size_t>(operation)];
  if (!HasWeights(op)) return {op.name, kNoWidth, kNoWidth};
  const int layer = layer_of_operation[static_cast<std::size_t>(operation)];
  return {op.name, assignment.weight_bits[static_cast<std::size_t>(layer)].front().bits,
          assignment.activation_bits[static_cast<std::size_t>(op.input)]};
}

std::vector<int> LayerOfOperation(const Topology& topology) {
  std::vector<int> layer_of_operation(topology.operations.size(), -1);
  const std::vector<int> layers = LayerOperations(topology);
  for (std::size_t l = 0; l < layers.size(); ++l)
    layer_of_operation[static_cast<std::size_t>(layers[l])] = static_cast<int>(l);
  return layer_of_operation;
}

// Samples of each operation at each width pair.
class TableBuilder {
 public:
  explicit TableBuilder(const Topology& topology)
      : topology_(topology), layer_of_operation_(LayerOfOperation(topology)) {}

  void Add(const BitAssignment& assignment, double latency_ns,
           const std::vector<double>& operation_ns) {
    double sum_ns = 0.0;
    for (const double ns : operation_ns) sum_ns += ns;
    const double scale = sum_ns > 0 ? latency_ns / sum_ns : 0.0;
    for (int operation = 0; operation < topology_.num_operations(); ++operation) {
      samples_[KeyOf(topology_, assignment, layer_of_operation_, operation)].push_back(
          scale * operation_ns[static_cast<std::size_t>(operation)]);
    }
  }

  CostTable Build(const std::vector<WidthPair>& grid, bool search_ends) const {
    CostTable table;
    for (const auto& [key, samples] : samples_)
      table.operations[key] = Cost{Median(samples), std::nullopt};
    for (const auto& [weights, activations] : grid) {
      const BitAssignment assignment =
          UniformAssignment(topology_, weights, activations, search_ends);
      for (int operation = 0; operation < topology_.num_operations(); ++operation) {
        const Key key = KeyOf(topology_, assignment, layer_of_operation_, operation);
        if (!table.operations.contains(key)) table.operations[key] = NextWider(key);
      }
    }
    return table;
  }

 private:
  // The measured pair with the fewest extra bits; 8 x 8 is always there.
  Cost NextWider(const Key& key) const {
    const auto& [name, weights, activations] = key;
    const std::vector<double>* best = nullptr;
    int best_extra = 17;
    for (const auto& [other, samples] : samples_) {
      const auto& [other_name, other_weights, other_activations] = other;
      if (other_name != name || other_weights < weights || other_activations < activations)
        continue;
      const int extra = (other_weights - weights) + (other_activations - activations);
      if (extra < best_extra) {
        best_extra = extra;
        best = &samples;
      }
    }
    BITPILOT_CHECK(best != nullptr);
    return Cost{Median(*best), std::nullopt};
  }

  const Topology& topology_;
  std::vector<int> layer_of_operation_;
  std::map<Key, std::vector<double>> samples_;
};

// Of the 8-bit network, for which no other pair of widths can stand.
Status CheckMeasured(const MeasurementRow& first) {
  if (first.latency_median_ns) return Status();
  return Status(StatusCode::kUnavailable, "the board could not measure the 8-bit network: " +
                                              first.status + " " + first.detail);
}

// is_needed: what is not measured then is not logged, so that a search that is resumed measures it
// again.
Result<MeasurementRow> MeasureUniform(const Topology& topology, const BitAssignment& assignment,
                                      const std::string& measurement_id, bool is_needed,
                                      Board* board, Journal& journal) {
  const auto measure = [&]() -> Result<std::vector<MeasurementRow>> {
    const Network network = RandomNetwork(topology, assignment, kWeightSeed);
    MeasureJob job;
    job.networks = {&network};
    job.tier = Tier::kScreen;
    job.per_operation = true;
    const Result<Measurement> measurement = board->Measure(job);
    if (!measurement.ok()) return measurement.status();
    std::vector<MeasurementRow> rows =
        ToRows(*measurement, job.tier, board->info(), {{measurement_id, assignment}});
    if (is_needed) BITPILOT_RETURN_IF_ERROR(CheckMeasured(rows.front()));
    return rows;
  };
  Result<std::vector<MeasurementRow>> rows = journal.ObserveMeasurements({measurement_id}, measure);
  if (!rows.ok()) return rows.status();
  if (is_needed) BITPILOT_RETURN_IF_ERROR(CheckMeasured(rows->front()));
  return std::move(rows->front());
}

}  // namespace

Result<CostTable> MeasureLayerTable(const Topology& topology, const SearchConfig& config,
                                    Board* board, Journal& journal, SearchObserver& observer,
                                    const std::function<bool()>& stop) {
  const std::vector<WidthPair> grid = GridInOrder(config);
  TableBuilder builder(topology);
  observer.OnPhase("measuring every layer at every width on the board",
                   static_cast<int>(grid.size()));
  double board_ms = 0.0;
  int measured = 0;
  int unmeasurable = 0;
  std::string first_failure;
  std::string model;  // the source of a model's answers, which are read off to the end
  for (const auto& [weights, activations] : grid) {
    if (measured > 0 && model.empty() && board_ms > 1e3 * config.table_seconds) break;
    if (stop()) return Status(StatusCode::kAborted, "stopped by the user");
    const BitAssignment assignment =
        UniformAssignment(topology, weights, activations, config.search_ends);
    const std::string name = "w" + std::to_string(weights) + "a" + std::to_string(activations);
    const Result<MeasurementRow> row =
        MeasureUniform(topology, assignment, "table-" + name, measured == 0, board, journal);
    if (!row.ok()) return row.status();
    const Result<MeasurementConditions> conditions =
        ParseEvent<MeasurementConditions>(row->conditions);
    if (!conditions.ok()) return conditions.status();
    board_ms += conditions->duration_ms;
    if (row->source.starts_with("MODEL:")) model = row->source + ": ";
    if (row->latency_median_ns) {
      builder.Add(assignment, *row->latency_median_ns, conditions->operation_ns);
      ++measured;
    } else if (unmeasurable++ == 0) {
      first_failure = name + ": " + row->status + " " + row->detail;
    }
    observer.OnProgress(measured, name);
  }
  if (unmeasurable > 0 && journal.recording()) {
    observer.OnNotice(std::to_string(unmeasurable) + " of " + std::to_string(grid.size()) +
                      " pairs of widths cannot be measured on this board, and candidates that need "
                      "them will fail; the first one: " +
                      first_failure);
  }
  CostTable table = builder.Build(grid, config.search_ends);
  table.name = topology.name;
  table.source = model + "per-operation times of " + std::to_string(measured) + " of " +
                 std::to_string(grid.size()) +
                 " uniform networks; a pair that was not measured stands for the next wider one";
  return table;
}

}  // namespace bitpilot
