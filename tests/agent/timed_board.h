// A board whose operations take known times: what a table of it must find.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "agent/fleet/board.h"
#include "kernels/base/network.h"

namespace bitpilot {

// Time of one operation, by its index, weight bits (0: none) and bits of what it reads.
using OperationTime =
    std::function<double(const Topology&, int operation, int weights, int activations)>;

inline double ExampleTimeNs(const Topology& topology, int operation, int weights, int activations) {
  const Operation& op = topology.operations[static_cast<std::size_t>(operation)];
  if (!HasWeights(op)) return 700.0;
  return 1e-3 * static_cast<double>(Macs(topology, operation)) * (4.0 + weights * activations % 7);
}

// Answers at once; counts the networks that it was asked for. A network takes seconds_a_network of
// its time.
class TimedBoard final : public Board {
 public:
  explicit TimedBoard(OperationTime time = ExampleTimeNs) : time_(std::move(time)) {
    info_.name = "bench";
    info_.cpu_model = "Example CPU";
    info_.isa = "avx2";
    info_.backend = "kernels";
    info_.kernel_build = "aaaa";
  }

  const BoardInfo& info() const override { return info_; }
  BoardInfo& mutable_info() { return info_; }
  int networks() const { return networks_; }
  void set_seconds_a_network(double seconds) { seconds_ = seconds; }
  // Networks that have such widths cannot be measured.
  void set_unsupported(int weights, int activations) { unsupported_ = {weights, activations}; }
  void set_overhead_ns(double ns) { overhead_ns_ = ns; }

  Result<Measurement> Measure(const MeasureJob& job) override {
    Measurement measurement;
    measurement.status = MeasureStatus::kOk;
    measurement.source = info_.is_model() ? "MODEL:" + info_.backend.substr(6) : "measured";
    for (const Network* network : job.networks) {
      ++networks_;
      measurement.duration_ms += 1e3 * seconds_;
      NetworkMeasurement& answer = measurement.networks.emplace_back();
      if (!Answer(network->topology, AssignmentOf(*network), answer)) {
        measurement.networks.clear();
        measurement.status = MeasureStatus::kUnsupported;
        measurement.detail = "no such row";
        return measurement;
      }
    }
    return measurement;
  }
  Result<std::vector<std::vector<float>>> Infer(const Network&,
                                                std::span<const std::uint8_t>) override {
    return Unsupported("never asked");
  }
  Status StartMeasure(const MeasureJob&) override { return Unsupported("never asked"); }
  Result<Measurement> FinishMeasure() override { return Unsupported("never asked"); }

 private:
  bool Answer(const Topology& topology, const BitAssignment& bits, NetworkMeasurement& answer) {
    std::size_t layer = 0;
    double total_ns = overhead_ns_;
    for (int i = 0; i < topology.num_operations(); ++i) {
      const Operation& op = topology.operations[static_cast<std::size_t>(i)];
      const int weights = HasWeights(op) ? bits.weight_bits[layer++].front().bits : 0;
      const int activations = bits.activation_bits[static_cast<std::size_t>(op.input)];
      if (std::pair(weights, activations) == unsupported_) return false;
      answer.operation_ns.push_back(time_(topology, i, weights, activations));
      answer.kernels.push_back("kernel");
      total_ns += answer.operation_ns.back();
    }
    answer.latency_median_ns = answer.latency_low_ns = answer.latency_high_ns = total_ns;
    answer.window_ns = answer.window_cpu_ns = std::vector<double>(9, total_ns);
    return true;
  }

  OperationTime time_;
  BoardInfo info_;
  int networks_ = 0;
  double seconds_ = 0.25;
  double overhead_ns_ = 0.0;
  std::pair<int, int> unsupported_{-1, -1};
};

}  // namespace bitpilot
