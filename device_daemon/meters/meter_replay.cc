// meter-replay: plays a recording as if the meter were there.
//
// The file holds what a meter program printed (energy/meter_program.h): its greeting, then samples.
// The first sample is due when the recording starts, the others as far behind it as they were.
#include <cstdio>
#include <fstream>
#include <vector>

#include <CLI/CLI.hpp>

#include "device_daemon/energy/meter_program.h"
#include "device_daemon/meters/meter_loop.h"
#include "kernels/base/utf8.h"

namespace bitpilot {
namespace {

struct Recording {
  std::string greeting;
  std::vector<std::int64_t> times_ns;  // Since the first sample.
  std::vector<std::string> values;     // Parallel: what follows the time.
};

Result<Recording> ReadRecording(const std::string& path) {
  std::ifstream file(path);
  Recording recording;
  if (!std::getline(file, recording.greeting)) {
    return Status(StatusCode::kNotFound, path + " cannot be read or is empty");
  }
  recording.greeting = WithoutByteOrderMark(recording.greeting);
  const Result<EnergySourceInfo> info = ParseMeterGreeting(recording.greeting);
  if (!info.ok()) return info.status().WithContext(path);
  std::int64_t first_ns = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("started ") || line.starts_with("stopped ")) continue;
    EnergyQuantity quantity{};
    const Result<EnergySample> sample = ParseMeterSample(line, quantity);
    if (!sample.ok()) return sample.status().WithContext(path);
    if (recording.values.empty()) first_ns = sample->time_ns;
    recording.times_ns.push_back(sample->time_ns - first_ns);
    recording.values.push_back(line.substr(line.find(',') + 1));
  }
  return recording;
}

class ReplaySamples : public MeterSamples {
 public:
  explicit ReplaySamples(const Recording& recording) : recording_(recording) {}
  void Restart() override { next_ = 0; }
  std::optional<std::int64_t> NextNs() override {
    if (next_ == recording_.times_ns.size()) return std::nullopt;
    return recording_.times_ns[next_];
  }
  std::string Take() override { return recording_.values[next_++]; }

 private:
  const Recording& recording_;
  std::size_t next_ = 0;
};

int Main(int argc, char** argv) {
  CLI::App app{"Plays a meter program's recording for bitpilotd --meter"};
  std::string path;
  app.add_option("recording", path, "What a meter program printed")->required();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  const Result<Recording> recording = ReadRecording(path);
  if (!recording.ok()) {
    std::fprintf(stderr, "meter-replay: %s\n", recording.status().message().c_str());
    return 1;
  }
  ReplaySamples samples(*recording);
  return ServeMeter(recording->greeting, {}, samples);
}

}  // namespace
}  // namespace bitpilot

int main(int argc, char** argv) { return bitpilot::Main(argc, argv); }
