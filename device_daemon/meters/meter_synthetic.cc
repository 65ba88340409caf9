// meter-synthetic: a meter whose energy is known exactly, with the faults of real ones on request.
//
// It "measures" P(t) = watts + amplitude * sin(2 pi t / cycle) at 5 V, t since the recording's
// start; so the energy until t is watts * t + amplitude * cycle / (2 pi) * (1 - cos(2 pi t /
// cycle)).
#include <cmath>
#include <cstdio>
#include <numbers>

#include <CLI/CLI.hpp>

#include "device_daemon/meters/meter_loop.h"
#include "kernels/base/number_text.h"

namespace bitpilot {
namespace {

constexpr double kVolt = 5.0;
constexpr double kMaxWatts = 1e6;

struct Options {
  double watts = 4.0;
  double amplitude_w = 2.0;
  double cycle_ms = 1700.0;
  std::int64_t period_us = 1000;
  std::int64_t drop_every = 0;
  double clock_offset_ms = 0.0;
  double clock_skew_ppm = 0.0;
};

class SyntheticSamples : public MeterSamples {
 public:
  explicit SyntheticSamples(const Options& options) : options_(options) {}

  void Restart() override { index_ = 0; }

  std::optional<std::int64_t> NextNs() override {
    if (options_.drop_every > 0 && index_ % options_.drop_every == options_.drop_every - 1) {
      ++index_;
    }
    return index_ * options_.period_us * 1000;
  }

  std::string Take() override {
    const double ms = static_cast<double>(index_++ * options_.period_us) * 1e-3;
    const double watts = options_.watts + options_.amplitude_w * std::sin(2.0 * std::numbers::pi *
                                                                          ms / options_.cycle_ms);
    char text[64];
    std::snprintf(text, sizeof text, "%g,%.17g", kVolt, watts / kVolt);
    return text;
  }

 private:
  Options options_;
  std::int64_t index_ = 0;
};

int Main(int argc, char** argv) {
  CLI::App app{"A meter with known truth for bitpilotd --meter, e.g. to try it without hardware"};
  Options options;
  const auto add = [&app](const char* name, auto& value, auto min, auto max, const char* help) {
    app.add_option(name, value, help)
        ->transform(CLI::Validator(NumberCheck(min, max), NumberRange(min, max)))
        ->capture_default_str();
  };
  add("--watts", options.watts, 0.0, kMaxWatts, "Mean power");
  add("--amplitude", options.amplitude_w, 0.0, kMaxWatts, "Of the sine, in watts");
  add("--cycle-ms", options.cycle_ms, 0.001, 1e9, "Of the sine");
  add("--period-us", options.period_us, std::int64_t{100}, std::int64_t{10'000'000},
      "Between two samples");
  add("--drop-every", options.drop_every, std::int64_t{0}, std::int64_t{1'000'000},
      "Loses every N-th sample; 0: none");
  add("--clock-offset-ms", options.clock_offset_ms, -1e9, 1e9, "Of its clock");
  add("--clock-skew-ppm", options.clock_skew_ppm, -1e6, 1e6, "How fast its clock runs");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  SyntheticSamples samples(options);
  char greeting[128];
  std::snprintf(greeting, sizeof greeting, "meter 1 synthetic %lld 0 %g",
                static_cast<long long>(options.period_us * 1000),
                2.0 * (options.watts + std::fabs(options.amplitude_w)));
  return ServeMeter(greeting, {std::llround(options.clock_offset_ms * 1e6), options.clock_skew_ppm},
                    samples);
}

}  // namespace
}  // namespace bitpilot

int main(int argc, char** argv) { return bitpilot::Main(argc, argv); }
