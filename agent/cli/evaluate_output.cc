#include "agent/cli/evaluate_output.h"

#include <cstdio>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "agent/cli/context_json.h"
#include "agent/cli/energy_json.h"
#include "agent/results/repeated_comparison.h"
#include "kernels/base/round_comparison.h"

namespace bitpilot {
namespace {

using Json = nlohmann::json;

// Of the first network, with its ratio to the last one.
void AddEnergyOf(const Measurement& measurement, Json& line) {
  const NetworkMeasurement& measured = measurement.networks.front();
  const NetworkMeasurement& uniform8 = measurement.networks.back();
  std::optional<MeasuredEnergy> energy;
  std::optional<EnergyRatio> ratio;
  if (measured.energy) energy = measured.energy->energy;
  if (energy && uniform8.energy) {
    ratio = GrossRatio(*energy, measured.energy->window_uj, uniform8.energy->energy,
                       uniform8.energy->window_uj);
  }
  AddEnergy(energy, ratio, measured.no_energy_reason, line);
  std::optional<double> model_ratio;
  if (measured.model_energy && uniform8.model_energy) {
    model_ratio = *measured.model_energy / *uniform8.model_energy;
  }
  std::optional<ModelEnergy> claimed;
  if (measured.model_energy) {
    claimed = ModelEnergy{*measured.model_energy, measured.model_energy_unit,
                          measured.model_energy_error};
  }
  line["model_energy"] = ModelEnergyJson(claimed, model_ratio, measurement.source);
}

void PrintEnergyForPeople(const Json& line) {
  if (!line["energy_uj"].is_null()) {
    std::printf("energy of an inference, %s (%s): %.2f +- %.2f uJ gross",
                line["energy_source"].get<std::string>().c_str(),
                line["energy_tier"].get<std::string>().c_str(), line["energy_uj"].get<double>(),
                line["energy_uncertainty_uj"].get<double>());
    if (!line["energy_net_uj"].is_null()) {
      std::printf(", %.2f +- %.2f uJ net of idle", line["energy_net_uj"].get<double>(),
                  line["energy_net_uncertainty_uj"].get<double>());
    }
    if (!line["energy_ratio_int8"].is_null()) {
      std::printf("; gross %.3fx of uniform 8 bit (+- %.3f)",
                  line["energy_ratio_int8"].get<double>(),
                  line["energy_ratio_int8_uncertainty"].get<double>());
    }
    std::printf("\n");
  } else if (!line["no_energy_reason"].is_null()) {
    std::printf("no energy was measured: %s\n",
                line["no_energy_reason"].get<std::string>().c_str());
  }
  if (const Json& model = line["model_energy"]; !model.is_null()) {
    std::printf("the model %s claims %.4g %s an inference; nothing was measured\n",
                model["table"].get<std::string>().c_str(), model["value"].get<double>(),
                model["unit"].get<std::string>().c_str());
  }
}

void PrintComparedWith(const Json& earlier) {
  std::printf("earlier, in %s: %.2f us, %.3fx of uniform 8 bit, ",
              earlier["file"].get<std::string>().c_str(),
              earlier["latency_median_ns"].get<double>() / 1e3,
              earlier["latency_ratio_int8"].get<double>());
  if (earlier["same_fingerprint"].get<bool>()) {
    std::printf("of the same fingerprint; which is faster, only interleaved rounds can say\n");
  } else {
    std::printf("of fingerprint %s: %s; the latencies cannot be compared\n",
                earlier["fingerprint"].get<std::string>().c_str(),
                earlier["changes"].get<std::string>().c_str());
  }
}

void PrintContextForPeople(const Json& line) {
  if (const Json& speed = line["speed_int8"]; !speed.is_null()) {
    const std::string word = speed.get<std::string>();
    std::printf("%s uniform 8 bit, by the interleaved rounds; ",
                word == "no difference" ? "no difference to" : (word + " than").c_str());
  }
  std::printf("fingerprint %s\n", line["fingerprint"].get<std::string>().c_str());
  const std::string comparisons = DescribeComparisons(line["measure_status"] == "NOISY",
                                                      line["measure_detail"].get<std::string>(),
                                                      line["comparisons"].get<int>());
  if (!comparisons.empty()) std::printf("%s\n", comparisons.c_str());
  for (const Json& note : line["conditions"]["notes"]) {
    std::printf("note: %s\n", note.get<std::string>().c_str());
  }
  if (line.contains("compared_with")) PrintComparedWith(line["compared_with"]);
}

}  // namespace

void AddBoardComparison(const std::string& device, const BoardInfo& board,
                        const BoardComparison& comparison, Json& line) {
  const Measurement& measurement = comparison.measurement;
  const NetworkMeasurement& measured = measurement.networks.front();
  const NetworkMeasurement& uniform8 = measurement.networks.back();
  const RoundComparison rounds =
      CompareRounds(TimesToCompare(measured.window_ns, measured.window_cpu_ns),
                    TimesToCompare(uniform8.window_ns, uniform8.window_cpu_ns));
  const MedianInterval& ratio = rounds.ratio;
  line["device"] = device;
  // A model's kernels only check the outputs.
  line["isa"] = board.is_model() ? Json(nullptr) : Json(board.isa);
  line["source"] = measurement.source;
  line["latency_median_ns"] = measured.latency_median_ns;
  line["latency_low_ns"] = measured.latency_low_ns;
  line["latency_high_ns"] = measured.latency_high_ns;
  line["latency_ratio_int8"] = ratio.median;
  line["latency_ratio_int8_low"] = ratio.low;
  line["latency_ratio_int8_high"] = ratio.high;
  // A model's figures are no rounds: nothing was measured that could be significant.
  line["speed_int8"] = board.is_model() ? Json(nullptr) : Json(ToString(rounds.speed));
  line["comparisons"] = comparison.comparisons();
  line["disturbances"] = comparison.disturbances;
  line["kernels"] = measured.kernels;
  AddContext(board, measurement, line);
  AddEnergyOf(comparison.with_energy, line);
}

void PrintAccuracy(const Json& line) {
  std::printf("%s, %s arithmetic%s: %lld of %lld right, accuracy %.4f (%.4f..%.4f), loss %.4f\n",
              line["model"].get<std::string>().c_str(),
              line["arithmetic"].get<std::string>().c_str(),
              line["bits"].is_null() ? "" : (" at " + line["bits"].get<std::string>()).c_str(),
              line["correct"].get<long long>(), line["images"].get<long long>(),
              line["accuracy"].get<double>(), line["accuracy_low"].get<double>(),
              line["accuracy_high"].get<double>(), line["loss"].get<double>());
  if (line.contains("weight_bytes"))
    std::printf("packed weights: %lld bytes\n", line["weight_bytes"].get<long long>());
}

void PrintEvaluation(const Json& line) {
  PrintAccuracy(line);
  if (!line.contains("latency_median_ns")) return;
  const std::string isa = line["isa"].is_null() ? "" : " (" + line["isa"].get<std::string>() + ")";
  std::printf("%s latency on %s%s: %.2f us (%.2f..%.2f), %.3fx of uniform 8 bit (%.3f..%.3f)\n",
              line["source"].get<std::string>().c_str(), line["device"].get<std::string>().c_str(),
              isa.c_str(), line["latency_median_ns"].get<double>() / 1e3,
              line["latency_low_ns"].get<double>() / 1e3,
              line["latency_high_ns"].get<double>() / 1e3, line["latency_ratio_int8"].get<double>(),
              line["latency_ratio_int8_low"].get<double>(),
              line["latency_ratio_int8_high"].get<double>());
  PrintContextForPeople(line);
  PrintEnergyForPeople(line);
}

}  // namespace bitpilot
