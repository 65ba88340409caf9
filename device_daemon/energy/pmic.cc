#include "device_daemon/energy/pmic.h"

#include <array>
#include <charconv>
#include <cstdio>
#include <map>
#include <system_error>
#include <utility>

#include "device_daemon/energy/sysfs.h"
#include "kernels/base/quoted.h"

namespace bitpilot {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kPeriodNs = 100'000'000;  // About 10 Hz.
constexpr double kAccuracy = 0.1;
constexpr double kMaxPowerW = 50.0;

struct Rail {
  double volt = -1.0;
  double ampere = -1.0;
};

std::string_view Trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

// "NAME_A current(N)=XA" or "NAME_V volt(N)=XV".
Status ParseLine(std::string_view line, std::map<std::string, Rail, std::less<>>& rails) {
  Status malformed = DataCorrupt(
      "expected a line of vcgencmd pmic_read_adc, 'NAME_V volt(N)=NUMBERV' or 'NAME_A "
      "current(N)=NUMBERA', got " +
      Quoted(line));
  const std::size_t name_end = line.find(' ');
  const std::size_t equals = line.find('=');
  if (name_end == std::string_view::npos || equals == std::string_view::npos || name_end < 3) {
    return malformed;
  }
  const char unit = line.back();
  const std::string_view name = line.substr(0, name_end);
  const std::string_view kind = Trim(line.substr(name_end, equals - name_end));
  const bool is_current = unit == 'A' && kind.starts_with("current(");
  if (!is_current && !(unit == 'V' && kind.starts_with("volt("))) return malformed;
  if (!name.ends_with(is_current ? "_A" : "_V")) return malformed;
  double value = 0.0;
  const char* end = line.data() + line.size() - 1;
  const auto [stop, error] = std::from_chars(line.data() + equals + 1, end, value);
  if (error != std::errc() || stop != end || !(value >= 0.0)) return malformed;
  Rail& rail = rails[std::string(name.substr(0, name.size() - 2))];
  (is_current ? rail.ampere : rail.volt) = value;
  return {};
}

class PmicSource : public PolledSource {
 public:
  PmicSource(EnergySourceInfo info, std::function<Result<std::string>()> read_text)
      : PolledSource(std::move(info)), read_text_(std::move(read_text)) {}

 protected:
  Result<double> Read() override {
    const Result<std::string> text = read_text_();
    if (!text.ok()) return text.status();
    return ParsePmicPower(*text);
  }

 private:
  std::function<Result<std::string>()> read_text_;
};

}  // namespace

Result<double> ParsePmicPower(std::string_view text) {
  std::map<std::string, Rail, std::less<>> rails;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = Trim(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (!line.empty()) BITPILOT_RETURN_IF_ERROR(ParseLine(line, rails));
  }
  double power_w = 0.0;
  int count = 0;
  for (const auto& [name, rail] : rails) {
    if (rail.ampere < 0.0) continue;  // A voltage alone, e.g. of the supply.
    if (rail.volt < 0.0) return DataCorrupt("rail " + name + " has a current, but no voltage");
    power_w += rail.volt * rail.ampere;
    ++count;
  }
  if (count == 0) return DataCorrupt("vcgencmd pmic_read_adc printed no rail with a current");
  return power_w;
}

std::vector<FoundEnergySource> FindPmic(const fs::path& root,
                                        std::function<Result<std::string>()> read_text) {
  std::vector<FoundEnergySource> found;
  const Result<std::string> model = ReadSysfsLine(root / "proc/device-tree/model");
  if (!model.ok() || !model->starts_with("Raspberry Pi 5")) return found;
  EnergySourceInfo info{
      .name = "pmic:rpi5",
      .scope = "sum of the rails behind the converters; less than what the board draws",
      .coverage = EnergyCoverage::kRails,
      .sensor = EnergySensor::kSensorOnboard,
      .quantity = EnergyQuantity::kPowerW,
      .period_ns = kPeriodNs,
      .relative_accuracy = kAccuracy,
      .max_power_w = kMaxPowerW};
  found.push_back(TryToRead(std::make_unique<PmicSource>(std::move(info), std::move(read_text))));
  return found;
}

Result<std::string> RunPmicCommand() {
  FILE* pipe = popen("vcgencmd pmic_read_adc 2>/dev/null", "re");
  const Status failed(StatusCode::kUnavailable,
                      "`vcgencmd pmic_read_adc` fails; install vcgencmd and add this user to the "
                      "group video");
  if (pipe == nullptr) return failed;
  std::string text;
  std::array<char, 4096> buffer;
  for (std::size_t size = 0; (size = fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
    text.append(buffer.data(), size);
  }
  if (pclose(pipe) != 0) return failed;
  return text;
}

}  // namespace bitpilot
