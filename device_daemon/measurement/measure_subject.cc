#include "device_daemon/measurement/measure_subject.h"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#include "device_daemon/measurement/job_forecast.h"

namespace bitpilot {

namespace {

// "logit 3", or with the output's name where the request has it.
std::string NameOfValue(const v1::NamedOutputs& outputs, std::size_t i) {
  std::size_t begin = 0;
  for (const v1::NamedOutput& output : outputs.outputs()) {
    if (i < begin + output.num_values()) {
      return "output " + output.name() + ", value " + std::to_string(i - begin);
    }
    begin += output.num_values();
  }
  return "logit " + std::to_string(i);
}

}  // namespace

MeasureVerdict ToVerdict(const Status& status) {
  switch (status.code()) {
    case StatusCode::kOk:
      return {};
    case StatusCode::kUnsupported:
      return {v1::UNSUPPORTED, status.message()};
    case StatusCode::kResourceExhausted:
      return {v1::OUT_OF_MEMORY, status.message()};
    case StatusCode::kDataCorrupt:
    case StatusCode::kNotFound:
      return {v1::REJECTED, status.message(), /*is_damaged=*/true};
    default:
      return {v1::REJECTED, status.message()};
  }
}

std::span<const std::uint8_t> GoldenPixels(const v1::MeasureRequest& request) {
  return {reinterpret_cast<const std::uint8_t*>(request.golden_pixels().data()),
          request.golden_pixels().size()};
}

Result<Network> LoadNetworkOf(const v1::MeasureRequest& request, int index,
                              const MeasurementSetup& setup) {
  Result<Network> network = setup.load(request.network_sha256(index));
  if (!network.ok()) return network.status();
  const std::size_t logits_bytes = static_cast<std::size_t>(network->num_classes()) * sizeof(float);
  if (request.golden_pixels().size() != static_cast<std::size_t>(network->input_bytes())) {
    return InvalidArgument(
        "network " + std::to_string(index) + " takes " + std::to_string(network->input_bytes()) +
        " bytes of golden pixels, got " + std::to_string(request.golden_pixels().size()));
  }
  if (request.golden_logits(index).size() != logits_bytes) {
    return InvalidArgument("network " + std::to_string(index) + " has " +
                           std::to_string(logits_bytes) + " bytes of logits, got " +
                           std::to_string(request.golden_logits(index).size()));
  }
  return network;
}

Result<MeasureSubject> CompileSubject(const v1::MeasureRequest& request, int index, Network network,
                                      const MeasurementSetup& setup,
                                      const ProgressFunction& progress) {
  const auto tick = [&progress, silence_ns = FirstSilenceNs(network.topology)] {
    progress({.phase = "preparing", .silence_ns = silence_ns});
  };
  tick();
  if (setup.choices != nullptr) setup.choices->OnTiming(tick);
  Result<CompiledNetwork> compiled =
      CompiledNetwork::Create(network, {setup.isa, setup.choices, tick});
  if (setup.choices != nullptr) setup.choices->OnTiming([] {});
  if (!compiled.ok()) return compiled.status();
  std::vector<float> logits(static_cast<std::size_t>(network.num_classes()));
  v1::NamedOutputs outputs;
  if (index < request.golden_outputs_size()) outputs = request.golden_outputs(index);
  return MeasureSubject{std::move(network), std::move(*compiled), request.golden_logits(index),
                        std::move(logits), std::move(outputs)};
}

MeasureVerdict CheckOutput(const MeasureSubject& subject, int index, std::string_view when) {
  for (std::size_t i = 0; i < subject.logits.size(); ++i) {
    float golden = 0.0F;
    std::memcpy(&golden, subject.golden_logits.data() + i * sizeof golden, sizeof golden);
    if (std::bit_cast<std::uint32_t>(golden) != std::bit_cast<std::uint32_t>(subject.logits[i])) {
      return {v1::WRONG_OUTPUT, "network " + std::to_string(index) + ", " +
                                    NameOfValue(subject.outputs, i) + " " + std::string(when) +
                                    ": expected " + std::to_string(golden) + ", got " +
                                    std::to_string(subject.logits[i])};
    }
  }
  return {};
}

}  // namespace bitpilot
