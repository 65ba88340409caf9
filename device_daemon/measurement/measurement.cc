#include "device_daemon/measurement/measurement.h"

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>

#include "device_daemon/measurement/disturbance.h"
#include "device_daemon/measurement/job_forecast.h"
#include "device_daemon/measurement/measure_subject.h"
#include "device_daemon/measurement/model_answer.h"
#include "device_daemon/measurement/operation_timer.h"
#include "kernels/base/utf8.h"
#include "kernels/base/window_statistics.h"
#include "proto/validation.h"

namespace bitpilot {
namespace {

void AddOperationTimes(MeasureSubject& subject, std::span<const std::uint8_t> pixels,
                       MeasureClock& clock, std::int64_t budget_ns, v1::NetworkMeasurement& out) {
  const std::vector<double> medians_ns =
      OperationMediansNs(subject.compiled, pixels, subject.logits, clock, budget_ns);
  for (std::size_t i = 0; i < medians_ns.size(); ++i) {
    v1::OperationTime& time = *out.add_operations();
    time.set_operation(static_cast<std::uint32_t>(i));
    time.set_latency_median_ns(medians_ns[i]);
  }
}

void AddKernelNames(const MeasureSubject& subject, v1::NetworkMeasurement& out) {
  for (int i = 0; i < subject.compiled.num_operations(); ++i) {
    out.add_kernels(subject.compiled.kernel_name(i));
  }
}

void AddWindows(const WindowSeries& series, v1::NetworkMeasurement& out) {
  const MedianInterval interval = SignTestInterval(series.wall_ns);
  out.set_latency_median_ns(interval.median);
  out.set_latency_low_ns(interval.low);
  out.set_latency_high_ns(interval.high);
  out.set_confidence(interval.confidence);
  out.mutable_window_ns()->Add(series.wall_ns.begin(), series.wall_ns.end());
  out.mutable_window_cpu_ns()->Add(series.cpu_ns.begin(), series.cpu_ns.end());
  out.set_inferences_per_window(static_cast<std::uint32_t>(series.inferences_per_window));
  out.set_drift(Drift(series.wall_ns));
}

std::uint64_t TotalSwitches(const std::vector<WindowSeries>& series) {
  std::uint64_t switches = 0;
  for (const WindowSeries& one : series) {
    for (const int count : one.switches) switches += static_cast<std::uint64_t>(count);
  }
  return switches;
}

double TimedMs(const std::vector<WindowSeries>& series) {
  double timed_ns = 0.0;
  for (const WindowSeries& one : series) {
    for (const double mean_ns : one.wall_ns) timed_ns += mean_ns * one.inferences_per_window;
  }
  return timed_ns * 1e-6;
}

// Times all subjects and fills result.networks; NOISY with its reason if any series was disturbed.
MeasureVerdict TimeSubjects(const v1::MeasureRequest& request, const MeasurementSetup& setup,
                            std::vector<MeasureSubject>& subjects, MeasureClock& clock,
                            const ProgressFunction& progress, v1::MeasureResult& result) {
  SamplerPlan plan = PlanFor(request.spec());
  if (setup.watch != nullptr && setup.watch->is_warm(clock)) plan.MakeWarm();
  const std::span<const std::uint8_t> pixels = GoldenPixels(request);
  std::vector<std::function<void()>> workloads;
  workloads.reserve(subjects.size());
  for (MeasureSubject& subject : subjects) {
    workloads.emplace_back([&subject, pixels] { subject.compiled.Run(pixels, subject.logits); });
  }
  int rounds_seen = 0;
  const auto watched = [&](const Progress& now) {
    // Between rounds only: a look in the middle of one would come before one network's window.
    if (setup.watch != nullptr && now.windows_done > rounds_seen) setup.watch->Look(clock);
    rounds_seen = now.windows_done;
    progress(now);
  };
  const Result<std::vector<WindowSeries>> series = SampleLatency(workloads, plan, clock, watched);
  if (!series.ok()) return ToVerdict(series.status());
  result.mutable_conditions()->set_involuntary_context_switches(TotalSwitches(*series));
  result.mutable_conditions()->set_timed_ms(TimedMs(*series));
  const std::vector<std::string> disturbances = FindDisturbances(*series, plan);
  MeasureVerdict verdict;
  for (std::size_t i = 0; i < subjects.size(); ++i) {
    MeasureVerdict output = CheckOutput(subjects[i], static_cast<int>(i), "after timing");
    if (!output.ok()) return output;
    v1::NetworkMeasurement& out = *result.add_networks();
    AddWindows((*series)[i], out);
    if (request.spec().per_operation()) {
      progress(
          {.phase = "operations", .windows_done = static_cast<int>((*series)[i].wall_ns.size())});
      AddOperationTimes(subjects[i], pixels, clock, 2 * plan.window_ns, out);
    }
    if (verdict.ok() && !disturbances[i].empty()) {
      verdict = {v1::NOISY, "network " + std::to_string(i) + ": " + disturbances[i]};
    }
  }
  return verdict;
}

// Loads every network of the request; a slow card takes its time for each.
MeasureVerdict LoadNetworks(const v1::MeasureRequest& request, const MeasurementSetup& setup,
                            const ProgressFunction& progress, std::vector<Network>& networks,
                            v1::MeasureResult& result) {
  for (int i = 0; i < request.network_sha256_size(); ++i) {
    Result<Network> network = LoadNetworkOf(request, i, setup);
    if (!network.ok()) {
      MeasureVerdict verdict = ToVerdict(network.status());
      if (verdict.is_damaged) result.add_damaged_sha256(request.network_sha256(i));
      return verdict;
    }
    networks.push_back(std::move(*network));
    progress({.phase = "loading"});
  }
  return {};
}

// Compiles the networks, with the board fit: kernels may be timed. Then every output must be right;
// `forecast` is told how long the inferences took.
MeasureVerdict PrepareSubjects(const v1::MeasureRequest& request, const MeasurementSetup& setup,
                               std::vector<Network> networks, MeasureClock& clock,
                               const ProgressFunction& progress, JobForecast& forecast,
                               std::vector<MeasureSubject>& subjects) {
  for (std::size_t i = 0; i < networks.size(); ++i) {
    const int index = static_cast<int>(i);
    Result<MeasureSubject> subject =
        CompileSubject(request, index, std::move(networks[i]), setup, progress);
    if (!subject.ok()) return ToVerdict(subject.status());
    subjects.push_back(std::move(*subject));
    const std::int64_t start_ns = clock.WallNs();
    subjects.back().compiled.Run(GoldenPixels(request), subjects.back().logits);
    forecast.SetInference(i, static_cast<double>(clock.WallNs() - start_ns));
    progress({.phase = "output check"});
    MeasureVerdict verdict = CheckOutput(subjects.back(), index, "before timing");
    if (!verdict.ok()) return verdict;
  }
  return {};
}

// What follows once the board is fit.
MeasureVerdict MeasureFit(const v1::MeasureRequest& request, const MeasurementSetup& setup,
                          std::vector<Network> networks, MeasureClock& clock,
                          const ProgressFunction& progress, std::vector<MeasureSubject>& subjects,
                          v1::MeasureResult& result) {
  JobForecast forecast(PlanFor(request.spec()), networks.size());
  // What a phase does not know better, the first inferences foretell. A table's answer takes the
  // time that it claims, whatever this machine's kernels take.
  const auto informed = [&](Progress now) {
    if (now.remaining_ns == 0 && !setup.cost_table) now.remaining_ns = forecast.RemainingNs(0, 0);
    now.silence_ns = std::max(now.silence_ns, forecast.SilenceNs());
    progress(now);
  };
  if (setup.choices != nullptr) setup.choices->ForgetUses();
  MeasureVerdict verdict =
      PrepareSubjects(request, setup, std::move(networks), clock, informed, forecast, subjects);
  if (setup.choices != nullptr) {
    result.mutable_conditions()->set_kernel_choices(setup.choices->HashOfUsed());
    std::string used = setup.choices->UsedToText();
    if (used.size() <= kMaxKernelChoicesBytes) result.set_kernel_choices(std::move(used));
  }
  if (!verdict.ok()) return verdict;
  return setup.cost_table ? PredictSubjects(request, subjects, setup, informed, result)
                          : TimeSubjects(request, setup, subjects, clock, informed, result);
}

MeasureVerdict RunMeasurement(const v1::MeasureRequest& request, const MeasurementSetup& setup,
                              MeasureClock& clock, const ProgressFunction& progress,
                              v1::MeasureResult& result) {
  std::vector<Network> networks;
  MeasureVerdict loaded = LoadNetworks(request, setup, progress, networks, result);
  if (!loaded.ok()) return loaded;
  v1::Conditions& conditions = *result.mutable_conditions();
  if (setup.watch != nullptr) {
    const GateVerdict gate = setup.watch->Begin(
        clock, [&] { progress({.phase = "waiting for the board"}); }, conditions);
    if (gate.status != v1::OK) return {gate.status, gate.detail};
  }
  std::vector<MeasureSubject> subjects;
  MeasureVerdict verdict =
      MeasureFit(request, setup, std::move(networks), clock, progress, subjects, result);
  if (setup.watch != nullptr) {
    const std::string disturbance = setup.watch->End(clock, conditions);
    if (verdict.ok() && !disturbance.empty()) verdict = {v1::NOISY, disturbance};
  }
  for (int i = 0; i < result.networks_size(); ++i) {
    v1::NetworkMeasurement& out = *result.mutable_networks(i);
    out.set_network_sha256(request.network_sha256(i));
    AddKernelNames(subjects[static_cast<std::size_t>(i)], out);
  }
  return verdict;
}

}  // namespace

std::string SourceOf(const MeasurementSetup& setup) {
  return setup.cost_table ? "MODEL:" + setup.cost_table->name : "measured";
}

v1::MeasureResult Measure(const v1::MeasureRequest& request, const MeasurementSetup& setup,
                          MeasureClock& clock, const ProgressFunction& progress) {
  v1::MeasureResult result;
  result.set_measure_id(request.measure_id());
  result.set_source(SourceOf(setup));
  const std::int64_t start_ns = clock.WallNs();
  const MeasureVerdict verdict = RunMeasurement(request, setup, clock, progress, result);
  result.set_status(verdict.status);
  result.set_detail(ToUtf8(verdict.detail));
  if (verdict.status != v1::OK && verdict.status != v1::NOISY) result.clear_networks();
  result.mutable_conditions()->set_duration_ms(static_cast<double>(clock.WallNs() - start_ns) *
                                               1e-6);
  return result;
}

}  // namespace bitpilot
