// Energy sources: what can tell how much energy this board draws.
//
// A source is recorded: Start(), Poll() again and again while the load runs, Finish(). Most sources
// are files that are read at every Poll() (PolledSource); a meter program (meter_program.h) samples
// by itself and Poll() only empties its pipe. Either way the result is an EnergyTrace on this
// machine's clock.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "device_daemon/energy/energy_clock.h"
#include "kernels/base/energy.h"
#include "kernels/base/status.h"

namespace bitpilot {

// What a sample's value is.
enum class EnergyQuantity : std::uint8_t {
  kPowerW,   // Power at that time, in watts.
  kEnergyJ,  // Energy since some moment before the trace, in joules; never decreases.
};

// What part of a board a source sees, from the best one to measure with to the worst.
enum class EnergyCoverage : std::uint8_t {
  kExternal,   // Whatever the external meter was put into.
  kInput,      // The rail that feeds the board or module.
  kProcessor,  // The CPU packages.
  kRails,      // The sum of the rails behind the converters.
  kBattery,    // Everything, but averaged over seconds.
  kOneRail,    // A rail that feeds a part of the board.
};

struct EnergySourceInfo {
  std::string name;   // E.g. "rapl:package-0", "hwmon:ina3221/VDD_IN", "meter:fake".
  std::string scope;  // What it sees, and what it does not.
  EnergyCoverage coverage = EnergyCoverage::kOneRail;
  EnergySensor sensor = EnergySensor::kSensorOnboard;
  EnergyQuantity quantity = EnergyQuantity::kPowerW;
  std::int64_t period_ns = 0;      // Between two new values.
  double relative_accuracy = 0.0;  // Of the instrument, as a 95 % bound.
  double max_power_w = 0.0;        // More than the board can draw: a sign of a wrong unit.
};

struct EnergySample {
  std::int64_t time_ns = 0;  // On the clock whose times Poll() was given.
  double value = 0.0;
};

// Samples in the order in which they came: neither sorted nor cleaned.
struct EnergyTrace {
  EnergySourceInfo source;
  std::vector<EnergySample> samples;
  std::int64_t clock_uncertainty_ns = 0;  // Of the samples' times against this machine's clock.
};

class EnergySource {
 public:
  virtual ~EnergySource() = default;
  virtual const EnergySourceInfo& info() const = 0;

  // Begins a recording at `now_ns`; what was recorded before is dropped.
  virtual Status Start(std::int64_t now_ns) = 0;
  // Takes what the source has to tell. Call it about every poll_interval_ns().
  virtual Status Poll(std::int64_t now_ns) = 0;
  virtual std::int64_t poll_interval_ns() const { return info().period_ns; }
  // Ends the recording. Errors of the source at any time since Start().
  virtual Result<EnergyTrace> Finish(std::int64_t now_ns) = 0;
};

// A source that tells its present value whenever it is asked.
class PolledSource : public EnergySource {
 public:
  const EnergySourceInfo& info() const override { return info_; }
  Status Start(std::int64_t now_ns) override;
  Status Poll(std::int64_t now_ns) override;
  Result<EnergyTrace> Finish(std::int64_t now_ns) override;

 protected:
  explicit PolledSource(EnergySourceInfo info) : info_(std::move(info)) {}
  // The present value in info().quantity.
  virtual Result<double> Read() = 0;

 private:
  EnergySourceInfo info_;
  std::vector<EnergySample> samples_;
};

// A source that this machine has or could have. Exactly one of `source` and a failed `status` is
// there; the status names the file, or what it told, and what to do.
struct FoundEnergySource {
  std::string name;
  Status status;
  std::unique_ptr<EnergySource> source;
};

// Time as a source is tried. Tests let their files change instead of sleeping.
struct TrialClock {
  std::function<std::int64_t()> now_ns = EnergyClockNs;
  SleepFunction sleep = SleepNs;
};

// Records for a moment. Whether that works, and what the source tells passes the measurement's own
// test (plausibility.h). A sensor's power is read at once; a counter for a tenth of a second, in
// which one that counts moves; a meter for three of its periods, if that is longer.
Status TryToRecord(EnergySource& source, const TrialClock& clock = {});

// `source` if TryToRecord() is OK, else why not.
FoundEnergySource TryToRead(std::unique_ptr<PolledSource> source, const TrialClock& clock = {});

}  // namespace bitpilot
