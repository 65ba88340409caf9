#include "agent/fleet/wire_conversion.h"

#include <cstddef>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace bitpilot {
namespace {

// Measurement::status and MeasureJob::tier go over the wire as they are.
static_assert(static_cast<int>(MeasureStatus::kOk) == v1::OK);
static_assert(static_cast<int>(MeasureStatus::kNoisy) == v1::NOISY);
static_assert(static_cast<int>(MeasureStatus::kWrongOutput) == v1::WRONG_OUTPUT);
static_assert(static_cast<int>(MeasureStatus::kUnsupported) == v1::UNSUPPORTED);
static_assert(static_cast<int>(MeasureStatus::kOutOfMemory) == v1::OUT_OF_MEMORY);
static_assert(static_cast<int>(MeasureStatus::kCrash) == v1::CRASH);
static_assert(static_cast<int>(MeasureStatus::kTimedOut) == v1::TIMED_OUT);
static_assert(static_cast<int>(MeasureStatus::kThermalAbort) == v1::THERMAL_ABORT);
static_assert(static_cast<int>(MeasureStatus::kPowerAbort) == v1::POWER_ABORT);
static_assert(static_cast<int>(MeasureStatus::kLost) == v1::LOST);
static_assert(static_cast<int>(MeasureStatus::kCancelled) == v1::CANCELLED);
static_assert(static_cast<int>(MeasureStatus::kRejected) == v1::REJECTED);
static_assert(static_cast<int>(MeasureStatus::kProtocolError) == v1::PROTOCOL_ERROR);
static_assert(v1::MeasureStatus_MAX == v1::PROTOCOL_ERROR);
static_assert(static_cast<int>(Tier::kScreen) == v1::MeasureSpec::SCREEN);
static_assert(static_cast<int>(Tier::kStandard) == v1::MeasureSpec::STANDARD);
static_assert(static_cast<int>(Tier::kAudit) == v1::MeasureSpec::AUDIT);

Result<std::vector<double>> OperationTimes(const v1::NetworkMeasurement& network,
                                           int num_operations) {
  std::vector<double> times(static_cast<std::size_t>(num_operations), -1.0);
  for (const v1::OperationTime& operation : network.operations()) {
    if (operation.operation() >= times.size() || !(operation.latency_median_ns() >= 0.0)) {
      return DataCorrupt("the time of operation " + std::to_string(operation.operation()) + " of " +
                         std::to_string(num_operations) + " is " +
                         std::to_string(operation.latency_median_ns()) + " ns");
    }
    times[operation.operation()] = operation.latency_median_ns();
  }
  for (std::size_t i = 0; i < times.size(); ++i) {
    if (times[i] < 0.0) {
      return DataCorrupt("the time of operation " + std::to_string(i) + " is missing");
    }
  }
  return times;
}

static_assert(static_cast<int>(EnergySensor::kMeterExternal) == v1::METER_EXTERNAL);
static_assert(static_cast<int>(EnergySensor::kSensorOnboard) == v1::SENSOR_ONBOARD);

Result<EnergyReading> ToEnergyReading(const v1::EnergyMeasurement& from) {
  std::optional<EnergyFigure> net;
  if (from.has_net_uj()) net = EnergyFigure{from.net_uj(), from.net_uncertainty_uj()};
  Result<MeasuredEnergy> energy =
      MeasuredEnergy::Create(static_cast<EnergySensor>(from.tier()), from.source(),
                             {from.gross_uj(), from.gross_uncertainty_uj()}, net);
  if (!energy.ok()) return energy.status();
  return EnergyReading{.energy = std::move(*energy),
                       .window_uj = {from.window_uj().begin(), from.window_uj().end()},
                       .conditions = {.scope = from.scope(),
                                      .no_net_reason = from.no_net_reason(),
                                      .idle_power_w = from.idle_power_w(),
                                      .latency_ns = from.latency_ns(),
                                      .window_s = from.window_s(),
                                      .inferences = from.inferences(),
                                      .samples = from.samples()}};
}

// The reading, or the reason why there is none.
Status FillEnergy(const v1::NetworkMeasurement& from, NetworkMeasurement& to) {
  to.no_energy_reason = from.no_energy_reason();
  if (from.has_energy()) {
    Result<EnergyReading> reading = ToEnergyReading(from.energy());
    if (!reading.ok()) return reading.status();
    to.energy = std::move(*reading);
  } else if (to.no_energy_reason.empty()) {
    to.no_energy_reason = "the board answered without an energy and gave no reason";
  }
  return {};
}

BoardEnergy ToBoardEnergy(const v1::DeviceCapabilities& capabilities) {
  BoardEnergy to;
  if (!capabilities.has_energy()) {
    to.reason = "the board's daemon knows nothing of energy: install a newer bitpilotd";
    return to;
  }
  const v1::EnergyCapability& from = capabilities.energy();
  to.source = from.source();
  to.scope = from.scope();
  to.window_s = from.window_s();
  to.reason = from.reason();
  if (from.tier() == v1::MODEL_FITTED) to.tier = EnergyTier::kModelFitted;
  if (from.tier() == v1::MODEL_TABLE) to.tier = EnergyTier::kModelTable;
  if (to.measures()) to.tier = TierOf(static_cast<EnergySensor>(from.tier()));
  return to;
}

BoardConditions ToBoardConditions(const v1::Conditions& from) {
  BoardConditions to;
  if (from.has_cpu()) to.cpu = from.cpu();
  to.governor = from.governor();
  if (from.has_frequency_min_khz()) to.frequency_min_khz = from.frequency_min_khz();
  if (from.has_frequency_max_khz()) to.frequency_max_khz = from.frequency_max_khz();
  if (from.has_temperature_start_celsius())
    to.temperature_start_celsius = from.temperature_start_celsius();
  if (from.has_temperature_end_celsius())
    to.temperature_end_celsius = from.temperature_end_celsius();
  if (from.has_throttle_bits()) to.throttle_bits = from.throttle_bits();
  if (from.has_canary_lease_ns()) to.canary_lease_ns = from.canary_lease_ns();
  if (from.has_canary_ns()) to.canary_ns = from.canary_ns();
  if (from.has_other_load()) to.other_load = from.other_load();
  to.gate_wait_ms = from.gate_wait_ms();
  to.timed_ms = from.timed_ms();
  to.turn_wait_ms = from.turn_wait_ms();
  to.kernel_choices = from.kernel_choices();
  to.notes.assign(from.notes().begin(), from.notes().end());
  to.ignored_zones.assign(from.ignored_zones().begin(), from.ignored_zones().end());
  return to;
}

Result<NetworkMeasurement> ToNetworkMeasurement(const v1::NetworkMeasurement& from,
                                                const ExpectedNetwork& expected,
                                                const AskedFor& asked_for) {
  if (from.network_sha256() != expected.sha256) {
    return DataCorrupt("the numbers are of a network that was not asked for");
  }
  NetworkMeasurement to;
  to.latency_median_ns = from.latency_median_ns();
  to.latency_low_ns = from.latency_low_ns();
  to.latency_high_ns = from.latency_high_ns();
  to.confidence = from.confidence();
  to.window_ns.assign(from.window_ns().begin(), from.window_ns().end());
  to.window_cpu_ns.assign(from.window_cpu_ns().begin(), from.window_cpu_ns().end());
  to.inferences_per_window = static_cast<int>(from.inferences_per_window());
  to.drift = from.drift();
  to.kernels.assign(from.kernels().begin(), from.kernels().end());
  if (from.has_model_energy()) to.model_energy = from.model_energy();
  to.model_energy_unit = from.model_energy_unit();
  if (from.has_model_energy_error()) to.model_energy_error = from.model_energy_error();
  if (asked_for.energy) BITPILOT_RETURN_IF_ERROR(FillEnergy(from, to));
  if (asked_for.per_operation) {
    Result<std::vector<double>> times = OperationTimes(from, expected.num_operations);
    if (!times.ok()) return times.status();
    to.operation_ns = std::move(times).value();
  }
  return to;
}

}  // namespace

std::string_view ToString(MeasureStatus status) {
  switch (status) {
    case MeasureStatus::kOk:
      return "OK";
    case MeasureStatus::kNoisy:
      return "NOISY";
    case MeasureStatus::kWrongOutput:
      return "WRONG_OUTPUT";
    case MeasureStatus::kUnsupported:
      return "UNSUPPORTED";
    case MeasureStatus::kOutOfMemory:
      return "OUT_OF_MEMORY";
    case MeasureStatus::kCrash:
      return "CRASH";
    case MeasureStatus::kTimedOut:
      return "TIMED_OUT";
    case MeasureStatus::kThermalAbort:
      return "THERMAL_ABORT";
    case MeasureStatus::kPowerAbort:
      return "POWER_ABORT";
    case MeasureStatus::kLost:
      return "LOST";
    case MeasureStatus::kCancelled:
      return "CANCELLED";
    case MeasureStatus::kRejected:
      return "REJECTED";
    case MeasureStatus::kProtocolError:
      return "PROTOCOL_ERROR";
  }
  return "UNKNOWN";
}

BoardInfo ToBoardInfo(const v1::DeviceCapabilities& capabilities) {
  BoardInfo info;
  info.name = capabilities.name();
  info.cpu_model = capabilities.cpu_model();
  info.isa = capabilities.isa();
  info.daemon_build = capabilities.daemon_build();
  info.kernel_build = capabilities.kernel_build();
  info.backend = capabilities.backend();
  info.model_source = capabilities.model_source();
  info.os = capabilities.os();
  info.architecture = capabilities.architecture();
  info.governor = capabilities.governor();
  info.core = capabilities.core();
  if (capabilities.has_cpu()) info.cpu = static_cast<int>(capabilities.cpu());
  info.cpu_count = static_cast<int>(capabilities.cpu_count());
  info.shares_agent_host = capabilities.shares_agent_host();
  info.energy = ToBoardEnergy(capabilities);
  return info;
}

std::string FingerprintDifference(const BoardInfo& before, const BoardInfo& now) {
  const struct {
    const char* what;
    const std::string& was;
    const std::string& is;
  } fields[] = {{"cpu_model", before.cpu_model, now.cpu_model},
                {"core", before.core, now.core},
                {"isa", before.isa, now.isa},
                {"kernel_build", before.kernel_build, now.kernel_build},
                {"backend", before.backend, now.backend},
                {"model_source", before.model_source, now.model_source}};
  for (const auto& field : fields) {
    if (field.was != field.is)
      return std::string(field.what) + " is " + field.is + ", was " + field.was;
  }
  return {};
}

Result<Measurement> ToMeasurement(const v1::MeasureResult& result,
                                  std::span<const ExpectedNetwork> expected,
                                  const AskedFor& asked_for) {
  Measurement measurement;
  measurement.status = static_cast<MeasureStatus>(result.status());
  measurement.detail = result.detail();
  measurement.source = result.source();
  measurement.duration_ms = result.conditions().duration_ms();
  measurement.involuntary_context_switches = result.conditions().involuntary_context_switches();
  if (result.conditions().has_load_average()) {
    measurement.load_average = result.conditions().load_average();
  }
  measurement.conditions = ToBoardConditions(result.conditions());
  measurement.kernel_choices = result.kernel_choices();
  if (!HasNumbers(measurement.status)) return measurement;
  if (static_cast<std::size_t>(result.networks_size()) != expected.size()) {
    return DataCorrupt("expected numbers of " + std::to_string(expected.size()) +
                       " networks, got " + std::to_string(result.networks_size()));
  }
  for (int i = 0; i < result.networks_size(); ++i) {
    Result<NetworkMeasurement> network =
        ToNetworkMeasurement(result.networks(i), expected[static_cast<std::size_t>(i)], asked_for);
    if (!network.ok()) return network.status();
    measurement.networks.push_back(std::move(network).value());
  }
  return measurement;
}

std::vector<std::vector<float>> ToLogits(std::string_view bytes, int num_classes) {
  const std::size_t image_bytes = static_cast<std::size_t>(num_classes) * sizeof(float);
  std::vector<std::vector<float>> logits(bytes.size() / image_bytes);
  for (std::size_t i = 0; i < logits.size(); ++i) {
    logits[i].resize(static_cast<std::size_t>(num_classes));
    std::memcpy(logits[i].data(), bytes.data() + i * image_bytes, image_bytes);
  }
  return logits;
}

}  // namespace bitpilot
