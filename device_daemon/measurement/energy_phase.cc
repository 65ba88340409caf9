#include "device_daemon/measurement/energy_phase.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>
#include <vector>

#include "device_daemon/measurement/measure_subject.h"
#include "kernels/base/check.h"
#include "kernels/base/utf8.h"

namespace bitpilot {
namespace {

constexpr std::int64_t kMinLeadNs = 20'000'000;
constexpr std::int64_t kLongIdleNs = 5'000'000'000;
// Between two looks at the clock; and between two signs of life while resting, as while running.
constexpr double kBatchNs = 5e6;
constexpr std::int64_t kRestNs = 500'000'000;
constexpr double kMaxBatch = 1 << 24;
// Nobody hears anything for so many inferences at most.
constexpr double kSilentInferences = 8.0;

class EnergyPhase {
 public:
  EnergyPhase(const v1::EnergyRunRequest& request, MeasureClock& clock, const SleepFunction& sleep,
              const ProgressFunction& progress)
      : request_(request), clock_(clock), sleep_(sleep), progress_(progress) {}

  MeasureVerdict Run(const MeasurementSetup& setup, v1::EnergyRunResult& result);

 private:
  MeasureVerdict Prepare(const MeasurementSetup& setup, v1::EnergyRunResult& result);
  MeasureVerdict CheckOutputs(std::string_view when) const;
  void Rest(std::int64_t duration_ns);
  void RestWindow(v1::EnergyStretch& window);
  // Runs network `index` for at least `duration_ns`; returns how often.
  std::uint64_t RunFor(std::size_t index, std::int64_t duration_ns);
  void RunWindow(std::size_t index, v1::EnergyStretch& window);
  void ShowProgress();
  // What the windows and rests that are left take, with inferences as long as they were.
  std::int64_t RemainingNs() const;

  const v1::EnergyRunRequest& request_;
  MeasureClock& clock_;
  const SleepFunction& sleep_;
  const ProgressFunction& progress_;
  std::vector<MeasureSubject> subjects_;
  int windows_done_ = 0;
  std::int64_t rested_ns_ = 0;
};

MeasureVerdict EnergyPhase::Prepare(const MeasurementSetup& setup, v1::EnergyRunResult& result) {
  const v1::MeasureRequest& measure = request_.measure();
  for (int i = 0; i < measure.network_sha256_size(); ++i) {
    const auto fail = [&](const Status& status) {
      MeasureVerdict verdict = ToVerdict(status);
      if (verdict.is_damaged) result.add_damaged_sha256(measure.network_sha256(i));
      return verdict;
    };
    Result<Network> network = LoadNetworkOf(measure, i, setup);
    if (!network.ok()) return fail(network.status());
    Result<MeasureSubject> subject = CompileSubject(measure, i, std::move(*network), setup,
                                                    [this](const Progress&) { ShowProgress(); });
    if (!subject.ok()) return fail(subject.status());
    subjects_.push_back(std::move(*subject));
    subjects_.back().compiled.Run(GoldenPixels(measure), subjects_.back().logits);
    ShowProgress();
  }
  return CheckOutputs("before the energy phase");
}

MeasureVerdict EnergyPhase::CheckOutputs(std::string_view when) const {
  for (std::size_t i = 0; i < subjects_.size(); ++i) {
    MeasureVerdict verdict = CheckOutput(subjects_[i], static_cast<int>(i), when);
    if (!verdict.ok()) return verdict;
  }
  return {};
}

void EnergyPhase::Rest(std::int64_t duration_ns) {
  const std::int64_t end_ns = clock_.WallNs() + duration_ns;
  for (std::int64_t left_ns = duration_ns; left_ns > 0; left_ns = end_ns - clock_.WallNs()) {
    sleep_(std::min(left_ns, kRestNs));
    ShowProgress();
  }
  rested_ns_ += duration_ns;
}

void EnergyPhase::ShowProgress() {
  double longest_ns = 0.0;
  for (int i = 0; i < request_.latency_ns_size(); ++i) {
    longest_ns = std::max(longest_ns, request_.latency_ns(i));
  }
  progress_({"energy", windows_done_, RemainingNs(),
             std::llround(kSilentInferences * std::max(longest_ns, kBatchNs))});
}

std::int64_t EnergyPhase::RemainingNs() const {
  const auto lead_ns = static_cast<double>(request_.lead_ns());
  const auto window_ns = static_cast<double>(request_.window_ns());
  double round_ns = 0.0;
  for (const double latency_ns : request_.latency_ns()) {
    // Each part ends with the inference that was under way.
    round_ns += window_ns + 2.0 * lead_ns + 3.0 * std::max(latency_ns, kBatchNs);
  }
  const double rounds =
      request_.rounds() - static_cast<double>(windows_done_) / request_.latency_ns_size();
  const auto rests_ns = 2.0 * (static_cast<double>(request_.idle_ns()) + 2.0 * lead_ns);
  return std::llround(rounds * round_ns + rests_ns) - rested_ns_;
}

void EnergyPhase::RestWindow(v1::EnergyStretch& window) {
  const auto lead_ns = static_cast<std::int64_t>(request_.lead_ns());
  Rest(lead_ns);
  window.set_begin_ns(clock_.WallNs());
  Rest(static_cast<std::int64_t>(request_.idle_ns()));
  window.set_end_ns(clock_.WallNs());
  Rest(lead_ns);
}

std::uint64_t EnergyPhase::RunFor(std::size_t index, std::int64_t duration_ns) {
  MeasureSubject& subject = subjects_[index];
  const std::span<const std::uint8_t> pixels = GoldenPixels(request_.measure());
  const double latency_ns = request_.latency_ns(static_cast<int>(index));
  const auto batch =
      static_cast<std::uint64_t>(std::clamp(std::floor(kBatchNs / latency_ns), 1.0, kMaxBatch));
  const std::int64_t begin_ns = clock_.WallNs();
  std::uint64_t inferences = 0;
  while (clock_.WallNs() - begin_ns < duration_ns) {
    for (std::uint64_t i = 0; i < batch; ++i) subject.compiled.Run(pixels, subject.logits);
    inferences += batch;
    ShowProgress();
  }
  return inferences;
}

void EnergyPhase::RunWindow(std::size_t index, v1::EnergyStretch& window) {
  const auto lead_ns = static_cast<std::int64_t>(request_.lead_ns());
  RunFor(index, lead_ns);
  window.set_begin_ns(clock_.WallNs());
  window.set_inferences(RunFor(index, static_cast<std::int64_t>(request_.window_ns())));
  window.set_end_ns(clock_.WallNs());
  RunFor(index, lead_ns);
  ++windows_done_;
}

MeasureVerdict EnergyPhase::Run(const MeasurementSetup& setup, v1::EnergyRunResult& result) {
  MeasureVerdict verdict = Prepare(setup, result);
  if (!verdict.ok()) return verdict;
  RestWindow(*result.mutable_idle_before());
  const auto num_networks = subjects_.size();
  for (std::uint32_t round = 0; round < request_.rounds(); ++round) {
    const int first = result.busy_size();
    for (std::size_t i = 0; i < num_networks; ++i) result.add_busy();
    for (std::size_t i = 0; i < num_networks; ++i) {
      const std::size_t index = round % 2 == 0 ? i : num_networks - 1 - i;
      RunWindow(index, *result.mutable_busy(first + static_cast<int>(index)));
    }
  }
  RestWindow(*result.mutable_idle_after());
  return CheckOutputs("after the energy phase");
}

}  // namespace

std::int64_t EnergyPlan::DurationNs(int num_networks) const {
  return 2 * (idle_ns + 2 * lead_ns) +
         std::int64_t{rounds} * num_networks * (window_ns + 2 * lead_ns);
}

EnergyPlan EnergyPlanFor(v1::MeasureSpec::Tier tier, std::int64_t min_window_ns,
                         std::int64_t period_ns) {
  EnergyPlan plan{.rounds = 2,
                  .window_ns = min_window_ns,
                  .idle_ns = min_window_ns,
                  .lead_ns = std::max(kMinLeadNs, 2 * period_ns)};
  if (tier == v1::MeasureSpec::SCREEN) return plan;
  BITPILOT_CHECK(tier == v1::MeasureSpec::STANDARD || tier == v1::MeasureSpec::AUDIT);
  plan.rounds = tier == v1::MeasureSpec::STANDARD ? 3 : 5;
  plan.idle_ns = std::max(kLongIdleNs, min_window_ns);
  return plan;
}

v1::EnergyRunResult RunEnergyPhase(const v1::EnergyRunRequest& request,
                                   const MeasurementSetup& setup, MeasureClock& clock,
                                   const SleepFunction& sleep, const ProgressFunction& progress) {
  v1::EnergyRunResult result;
  result.set_measure_id(request.measure().measure_id());
  const MeasureVerdict verdict = EnergyPhase(request, clock, sleep, progress).Run(setup, result);
  result.set_status(verdict.status);
  result.set_detail(ToUtf8(verdict.detail));
  if (verdict.ok()) return result;
  result.clear_idle_before();
  result.clear_busy();
  result.clear_idle_after();
  return result;
}

}  // namespace bitpilot
