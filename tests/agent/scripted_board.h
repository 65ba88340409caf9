// A board whose verdicts a test chooses.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "agent/fleet/board.h"

namespace bitpilot {

inline constexpr MeasureStatus kFine = MeasureStatus::kOk;
inline constexpr MeasureStatus kDisturbed = MeasureStatus::kNoisy;

// Answers with one verdict after the other; networks take 100 us, and 1 us more a comparison.
class ScriptedBoard final : public Board {
 public:
  explicit ScriptedBoard(std::deque<MeasureStatus> verdicts) : verdicts_(std::move(verdicts)) {
    info_.name = "bench";
    info_.backend = "kernels";
  }

  const BoardInfo& info() const override { return info_; }
  Result<Measurement> Measure(const MeasureJob& job) override {
    if (verdicts_.empty()) return Status(StatusCode::kInternal, "asked too often");
    jobs_.push_back(job);
    Measurement measurement;
    measurement.status = verdicts_.front();
    verdicts_.pop_front();
    measurement.source = "measured";
    if (measurement.status == MeasureStatus::kNoisy) {
      measurement.detail = "network 0: latency stepped by 5.0 %";
    }
    if (!HasNumbers(measurement.status)) return measurement;
    const bool gives_energy = job.energy && static_cast<int>(jobs_.size()) >= energy_from_;
    const double latency_ns = 1e5 + 1e3 * static_cast<double>(jobs_.size());
    for (std::size_t i = 0; i < job.networks.size(); ++i) {
      NetworkMeasurement network;
      const auto own = latency_ns_.find(job.networks[i]);
      const double time_ns = own == latency_ns_.end() ? latency_ns : own->second;
      network.latency_median_ns = network.latency_low_ns = network.latency_high_ns = time_ns;
      network.window_ns = network.window_cpu_ns = std::vector<double>(24, time_ns);
      if (gives_energy) {
        network.energy =
            EnergyReading{MeasuredEnergy::Create(EnergySensor::kMeterExternal, "meter:known",
                                                 {100.0, 1.0}, std::nullopt)
                              .value(),
                          {100.0},
                          {}};
      }
      measurement.networks.push_back(network);
    }
    return measurement;
  }
  Result<std::vector<std::vector<float>>> Infer(const Network&,
                                                std::span<const std::uint8_t>) override {
    return Unsupported("never asked");
  }
  Status StartMeasure(const MeasureJob&) override { return Unsupported("never asked"); }
  Result<Measurement> FinishMeasure() override { return Unsupported("never asked"); }

  const std::vector<MeasureJob>& jobs() const { return jobs_; }
  // Of the comparisons, the first whose energy phase succeeds.
  void set_energy_from(int comparison) { energy_from_ = comparison; }
  // A network that takes so long in every comparison.
  void set_latency_ns(const Network& network, double ns) { latency_ns_[&network] = ns; }
  BoardInfo& mutable_info() { return info_; }
  void set_max_networks(int networks) { info_.limits.max_networks = networks; }

 private:
  BoardInfo info_;
  std::deque<MeasureStatus> verdicts_;
  std::vector<MeasureJob> jobs_;
  std::map<const Network*, double> latency_ns_;
  int energy_from_ = 1;
};

}  // namespace bitpilot
