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

namespace bitpilot {
namespace {

constexpr double kVolt = 5.0;

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
  app.add_option("--watts", options.watts, "Mean power")->capture_default_str();
  app.add_option("--amplitude", options.amplitude_w, "Of the sine, in watts")
      ->capture_default_str();
  app.add_option("--cycle-ms", options.cycle_ms, "Of the sine")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--period-us", options.period_us, "Between two samples")
      ->check(CLI::Range(std::int64_t{100}, std::int64_t{10'000'000}))
      ->capture_default_str();
  app.add_option("--drop-every", options.drop_every, "Loses every N-th sample; 0: none")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1'000'000}))
      ->capture_default_str();
  app.add_option("--clock-offset-ms", options.clock_offset_ms, "Of its clock")
      ->capture_default_str();
  app.add_option("--clock-skew-ppm", options.clock_skew_ppm, "How fast its clock runs")
      ->capture_default_str();
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
