#include "agent/profile/measure_profile.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <utility>

#include <nlohmann/json.hpp>

#include "agent/fleet/measure_parts.h"
#include "agent/fleet/stopped.h"
#include "kernels/base/file_io.h"
#include "kernels/base/round_comparison.h"
#include "kernels/base/window_statistics.h"

namespace bitpilot {
namespace {

Status Save(const ProfileData& data, const std::string& path) {
  return WriteFileAtomically(path, ToJson(data).dump() + "\n").WithContext("unfinished profile");
}

ProfileData Begin(const ProfileSettings& settings, const BoardInfo& board) {
  ProfileData begun;
  begun.settings = settings;
  begun.board = board;
  begun.source = board.is_model() ? "MODEL:" + board.backend.substr(6) : "measured";
  return begun;
}

// What an earlier call left behind, or an empty start.
Result<ProfileData> LoadOrBegin(const Topology& topology, const ProfileSettings& settings,
                                const ProfilePlan& plan, const Board& board,
                                const std::string& path) {
  std::error_code error;
  if (path.empty() || !std::filesystem::exists(path, error)) return Begin(settings, board.info());
  const Result<std::string> text = ReadFile(path);
  if (!text.ok()) return text.status();
  Result<ProfileData> data =
      ProfileDataFromJson(nlohmann::json::parse(*text, nullptr, /*allow_exceptions=*/false));
  if (!data.ok()) {
    return data.status().WithContext(path + " is no unfinished profile; remove it to begin anew");
  }
  BITPILOT_RETURN_IF_ERROR(CheckContinues(*data, settings, board.info(), path));
  bool fits = data->results.size() <= plan.jobs.size();
  for (std::size_t i = 0; fits && i < data->results.size(); ++i) {
    fits = data->results[i].samples.size() == plan.jobs[i].assignments.size() &&
           data->results[i].uniform8.operation_ns.size() == topology.operations.size();
  }
  if (fits) return data;
  return DataCorrupt(path + " does not fit the plan of this version; remove it to begin anew");
}

// Ratios of thread CPU times: what other programs take from the board's CPU counts for neither.
ProfileSample ToSample(const NetworkMeasurement& measured, const NetworkMeasurement& uniform8) {
  const MedianInterval ratio = RatioOfRounds(measured.window_cpu_ns, uniform8.window_cpu_ns);
  return {measured.latency_median_ns,
          Median(measured.window_cpu_ns),
          ratio.median,
          ratio.low,
          ratio.high,
          measured.operation_ns,
          measured.kernels};
}

// Adds what one part of a job came to. Ratios are to the part's own uniform 8 bit, which ran in the
// same rounds.
void AddPart(const Measurement& measurement, ProfileJobResult& result) {
  const NetworkMeasurement& uniform8 = measurement.networks.front();
  if (result.samples.empty()) result.uniform8 = ToSample(uniform8, uniform8);
  result.noisy = result.noisy || measurement.status == MeasureStatus::kNoisy;
  for (std::size_t i = 1; i < measurement.networks.size(); ++i)
    result.samples.push_back(ToSample(measurement.networks[i], uniform8));
}

Result<ProfileJobResult> Measure(const Topology& topology, const ProfileJob& job, Tier tier,
                                 Board& board, const std::function<bool()>& stop) {
  std::vector<Network> networks;
  networks.push_back(RandomNetwork(
      topology, UniformAssignment(topology, 8, 8, /*search_ends=*/true), kWeightSeed));
  for (const BitAssignment& assignment : job.assignments)
    networks.push_back(RandomNetwork(topology, assignment, kWeightSeed));
  std::vector<const Network*> pointers;
  for (const Network& network : networks) pointers.push_back(&network);
  ProfileJobResult result;
  for (const std::vector<const Network*>& part : PartsThatFit(pointers, board.info().limits)) {
    if (stop()) return Stopped();
    MeasureJob request;
    request.networks = part;
    request.tier = tier;
    request.per_operation = true;
    const Result<Measurement> measurement = board.Measure(request);
    if (!measurement.ok()) return measurement.status();
    result.board_seconds += 1e-3 * measurement->duration_ms;
    if (!HasNumbers(measurement->status)) {
      const bool unsupported = measurement->status == MeasureStatus::kUnsupported;
      return Status(unsupported ? StatusCode::kUnsupported : StatusCode::kUnavailable,
                    "the board gave no numbers: " + std::string(ToString(measurement->status)) +
                        " " + measurement->detail);
    }
    AddPart(*measurement, result);
  }
  return result;
}

std::string Describe(const ProfileJobResult& result) {
  const auto [low, high] = std::minmax_element(
      result.samples.begin(), result.samples.end(),
      [](const ProfileSample& a, const ProfileSample& b) { return a.ratio < b.ratio; });
  char text[96];
  std::snprintf(text, sizeof text, "8 bit %.1f us, these %.3fx to %.3fx%s",
                result.uniform8.latency_ns * 1e-3, low->ratio, high->ratio,
                result.noisy ? ", disturbed" : "");
  return text;
}

// Whether the next job fits into the time that is left, if its networks take what the slowest job's
// took.
bool FitsTime(const ProfilePlan& plan, const ProfileData& data, double max_board_seconds) {
  double slowest_seconds = 0.0;  // a network
  for (std::size_t i = 0; i < data.results.size(); ++i) {
    const auto networks = static_cast<double>(plan.jobs[i].assignments.size() + 1);
    slowest_seconds = std::max(slowest_seconds, data.results[i].board_seconds / networks);
  }
  const auto next = static_cast<double>(plan.jobs[data.results.size()].assignments.size() + 1);
  return data.board_seconds() + next * slowest_seconds <= max_board_seconds;
}

}  // namespace

Result<ProfileData> MeasureProfile(const Topology& topology, const ProfileSettings& settings,
                                   const ProfilePlan& plan, Board& board,
                                   const ProfileOptions& options) {
  Result<ProfileData> data = LoadOrBegin(topology, settings, plan, board, options.unfinished_path);
  if (!data.ok()) {
    if (!options.cache_trouble) return data;
    options.cache_trouble(data.status());
    data = Begin(settings, board.info());
  }
  int total = 0;
  for (const ProfileJob& job : plan.jobs) total += static_cast<int>(job.assignments.size());
  int done = 0;
  bool told_unsaved = false;
  for (std::size_t i = 0; i < plan.jobs.size(); ++i) {
    done += static_cast<int>(plan.jobs[i].assignments.size());
    if (i < data->results.size()) continue;
    if (i > 0 && options.max_board_seconds && !FitsTime(plan, *data, *options.max_board_seconds)) {
      break;
    }
    Result<ProfileJobResult> result =
        Measure(topology, plan.jobs[i], plan.tier, board, options.stop);
    if (!result.ok()) return result.status();
    data->results.push_back(std::move(*result));
    const Status saved =
        options.unfinished_path.empty() ? Status() : Save(*data, options.unfinished_path);
    if (!saved.ok() && !options.cache_trouble) return saved;
    if (!saved.ok() && !told_unsaved) options.cache_trouble(saved);
    told_unsaved = told_unsaved || !saved.ok();
    options.progress(done, total, Describe(data->results.back()));
  }
  return data;
}

}  // namespace bitpilot
