// Parsing and clock alignment of the meter protocol.
#include <array>
#include <charconv>
#include <cmath>
#include <system_error>

#include "device_daemon/energy/meter_program.h"
#include "kernels/base/quoted.h"

namespace bitpilot {
namespace {

constexpr std::size_t kMaxMeterNameBytes = 64;
constexpr double kMaxRateError = 1e-3;

template <typename Number>
bool Parse(std::string_view text, Number& number) {
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && stop == text.data() + text.size();
}

// The parts of `text` between separators; as many as there are, at most the array's size + 1.
template <std::size_t kSize>
std::size_t Split(std::string_view text, char separator,
                  std::array<std::string_view, kSize>& parts) {
  for (std::size_t count = 0;; ++count) {
    const std::size_t end = text.find(separator);
    if (count == kSize) return kSize + 1;
    parts[count] = text.substr(0, end);
    if (end == std::string_view::npos) return count + 1;
    text.remove_prefix(end + 1);
  }
}

}  // namespace

Result<EnergySourceInfo> ParseMeterGreeting(std::string_view line) {
  std::array<std::string_view, 6> words;
  const std::size_t count = Split(line, ' ', words);
  if (count >= 2 && words[0] == "meter" && words[1] != "1") {
    return Status(StatusCode::kVersionMismatch,
                  "the meter program speaks protocol version " + Quoted(words[1]) + ", expected 1");
  }
  EnergySourceInfo info;
  info.scope = "what the external meter supplies";
  info.coverage = EnergyCoverage::kExternal;
  info.sensor = EnergySensor::kMeterExternal;
  if (count != words.size() || words[0] != "meter" || words[2].empty() ||
      words[2].size() > kMaxMeterNameBytes || !IsPrintable(words[2]) ||
      !Parse(words[3], info.period_ns) || !Parse(words[4], info.relative_accuracy) ||
      !Parse(words[5], info.max_power_w) || info.period_ns <= 0 ||
      !(info.relative_accuracy >= 0.0 && info.relative_accuracy < 1.0) ||
      !(info.max_power_w > 0.0 && std::isfinite(info.max_power_w))) {
    return DataCorrupt(
        "a meter program begins with 'meter 1 NAME PERIOD_NS RELATIVE_ACCURACY MAX_POWER_W', got " +
        Quoted(line));
  }
  info.name = "meter:" + std::string(words[2]);
  return info;
}

Result<EnergySample> ParseMeterSample(std::string_view line, EnergyQuantity& quantity) {
  std::array<std::string_view, 3> words;
  const std::size_t count = Split(line, ',', words);
  EnergySample sample;
  double first = 0.0;
  double ampere = 1.0;
  if ((count != 2 && count != 3) || !Parse(words[0], sample.time_ns) || !Parse(words[1], first) ||
      (count == 3 && !Parse(words[2], ampere)) || !std::isfinite(first) || !std::isfinite(ampere)) {
    return DataCorrupt("a meter's sample is TIME_NS,VOLT,AMPERE or TIME_NS,MICROJOULE, got " +
                       Quoted(line));
  }
  quantity = count == 3 ? EnergyQuantity::kPowerW : EnergyQuantity::kEnergyJ;
  sample.value = count == 3 ? first * ampere : first * 1e-6;
  return sample;
}

Status AlignSamples(const MeterClock& clock, std::vector<EnergySample>& samples) {
  const auto meter_ns = static_cast<double>(clock.meter_stop_ns - clock.meter_start_ns);
  const auto own_ns = static_cast<double>(clock.own_stop_ns - clock.own_start_ns);
  if (!(meter_ns > 0.0 && own_ns > 0.0)) {
    return DataCorrupt("the meter's clock went from " + std::to_string(clock.meter_start_ns) +
                       " to " + std::to_string(clock.meter_stop_ns) + " ns; it must advance");
  }
  const double rate = own_ns / meter_ns;
  const double unexplained_ns =
      std::fabs(meter_ns - own_ns) - 2.0 * static_cast<double>(clock.uncertainty_ns);
  if (unexplained_ns > kMaxRateError * own_ns) {
    return DataCorrupt("the meter's clock advanced by " + std::to_string(meter_ns * 1e-9) +
                       " s in " + std::to_string(own_ns * 1e-9) +
                       " s; a rate error above 0.1 % cannot be corrected");
  }
  for (EnergySample& sample : samples) {
    const auto since_start = static_cast<double>(sample.time_ns - clock.meter_start_ns);
    sample.time_ns = clock.own_start_ns + std::llround(since_start * rate);
  }
  return {};
}

}  // namespace bitpilot
