#include "agent/cli/evaluate_versus.h"

#include <cstdio>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "agent/cli/context_json.h"
#include "agent/cli/evaluate_output.h"
#include "agent/results/accuracy_statistics.h"
#include "agent/results/board_versus.h"
#include "kernels/base/bit_assignment.h"
#include "kernels/versus/versus.h"
#include "kernels/versus/versus_fields.h"
#include "kernels/versus/versus_text.h"

namespace bitpilot {
namespace {

using Json = nlohmann::json;

constexpr VersusQuantity kTime = VersusQuantity::kTime;
constexpr VersusQuantity kEnergy = VersusQuantity::kEnergy;

void PrintLine(const std::string& text) {
  std::printf("%s\n", text.c_str());
  std::fflush(stdout);
}

// What is known before anything is measured.
void PrintBefore(const Json& line) {
  PrintAccuracy(line);
  const Json& b = line["b"];
  std::printf("A: %s, B: %s, packed weights %lld bytes", line["bits"].get<std::string>().c_str(),
              b["versus"].get<std::string>().c_str(), b["weight_bytes"].get<long long>());
  if (!b["accuracy"].is_null()) {
    std::printf(", accuracy %.4f; A's less B's, on the same images: %+.4f (%+.4f..%+.4f)",
                b["accuracy"].get<double>(), b["accuracy_difference"].get<double>(),
                b["accuracy_difference_low"].get<double>(),
                b["accuracy_difference_high"].get<double>());
  }
  std::printf("\n");
  std::fflush(stdout);
}

// nullopt, with "no_energy_reason" in `line`, without energies.
std::optional<VersusVerdict> AddEnergies(const VersusBlocks& blocks, bool is_asked, Json& line) {
  line["energy_versus"] = line["no_energy_reason"] = nullptr;
  if (!is_asked) return std::nullopt;
  const Result<VersusVerdict> verdict = JudgeEnergies(blocks);
  if (!verdict.ok()) {
    line["no_energy_reason"] = verdict.status().message();
    return std::nullopt;
  }
  line["energy_versus"] = VersusJson<Json>(*verdict, kEnergy);
  return *verdict;
}

void PrintEnergies(const std::optional<VersusVerdict>& verdict, const Json& line) {
  if (verdict) {
    PrintLine(DescribeSame(verdict->same, kEnergy));
    PrintLine(DescribeDifferent(*verdict, kEnergy));
    PrintLine(DescribeSmallestDifference(*verdict));
  } else if (!line["no_energy_reason"].is_null()) {
    PrintLine("no verdict on energy: " + line["no_energy_reason"].get<std::string>());
  }
}

}  // namespace

void AddOther(const VersusOther& other, const Evaluation& a, const ImageDataset& data,
              const std::string& versus, Json& line) {
  Json& b = line["b"];
  b = {{"versus", versus},
       {"network", other.network.topology.name},
       {"weight_bytes", WeightBytes(other.network.topology, AssignmentOf(other.network))},
       {"accuracy", nullptr},
       {"accuracy_difference", nullptr},
       {"accuracy_difference_low", nullptr},
       {"accuracy_difference_high", nullptr}};
  if (!other.evaluation) return;
  const PairedDifference difference =
      ComparePredictions(other.evaluation->predictions, a.predictions, data.labels);
  b["accuracy"] = other.evaluation->accuracy;
  b["accuracy_difference"] = difference.difference;
  b["accuracy_difference_low"] = difference.interval.low;
  b["accuracy_difference_high"] = difference.interval.high;
}

Result<int> AddVersus(Board& board, const std::string& device, const EvaluateFlags& flags,
                      const Network& a, const Network& b,
                      const std::function<void(const std::string&)>& notice, Json& line) {
  const bool is_for_people = !flags.json;
  if (is_for_people) PrintBefore(line);
  VersusJob job;
  job.a = &a;
  job.b = &b;
  job.is_long = flags.audit;
  job.energy = flags.energy;
  job.notice = notice;
  job.on_same = [&](const std::vector<VersusBlock>& same) {
    if (is_for_people) PrintLine(DescribeSame(CompareTimes(same), kTime));
  };
  Result<BoardVersus> measured = CompareVersusOnBoard(board, job);
  if (!measured.ok()) return measured.status();
  const VersusVerdict verdict = JudgeTimes(measured->blocks);
  const VersusLatencies latencies = LatenciesOf(measured->blocks.different);
  const std::string disturbances = DescribeDisturbances(measured->blocks);
  measured->measurement.detail = disturbances;
  line["device"] = device;
  line["isa"] = board.info().isa;
  line["source"] = measured->measurement.source;
  line["latency_median_ns"] = latencies.a_ns;
  line["b"]["latency_median_ns"] = latencies.b_ns;
  line["versus"] = VersusJson<Json>(verdict, kTime);
  line["kernels"] = measured->kernels;
  AddContext(board.info(), measured->measurement, line);
  const std::optional<VersusVerdict> energies = AddEnergies(measured->blocks, flags.energy, line);
  if (is_for_people) {
    PrintLine("measured on " + device + " (" + board.info().isa + ")");
    PrintLine(DescribeLatencies(latencies));
    PrintLine(DescribeDifferent(verdict, kTime));
    PrintLine(DescribeSmallestDifference(verdict));
    PrintEnergies(energies, line);
    PrintLine("fingerprint " + line["fingerprint"].get<std::string>());
    if (!disturbances.empty()) PrintLine(disturbances);
    for (const Json& note : line["conditions"]["notes"]) {
      PrintLine("note: " + note.get<std::string>());
    }
  }
  return VersusExitCode(verdict);
}

}  // namespace bitpilot
