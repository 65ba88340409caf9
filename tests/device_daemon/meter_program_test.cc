#include "device_daemon/energy/meter_program.h"

#include <sys/wait.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <numbers>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bitpilot {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kSecond = 1'000'000'000;

TEST(MeterGreetingTest, NamesTheMeterAndItsLimits) {
  const Result<EnergySourceInfo> info = ParseMeterGreeting("meter 1 js220 500000 0.005 15");
  ASSERT_TRUE(info.ok()) << info.status().message();
  EXPECT_EQ(info->name, "meter:js220");
  EXPECT_EQ(info->sensor, EnergySensor::kMeterExternal);
  EXPECT_EQ(info->period_ns, 500'000);
  EXPECT_EQ(info->relative_accuracy, 0.005);
  EXPECT_EQ(info->max_power_w, 15.0);
}

TEST(MeterGreetingTest, RefusesWhatIsNotOne) {
  EXPECT_EQ(ParseMeterGreeting("meter 2 x 1 0 1").status().code(), StatusCode::kVersionMismatch);
  for (const std::string_view line :
       {"", "meter 1", "meter 1 x 0 0.1 5", "meter 1 x -5 0.1 5", "meter 1 x 10 1.0 5",
        "meter 1 x 10 nan 5", "meter 1 x 10 0.1 0", "meter 1 x 10 0.1 inf", "meter 1  10 0.1 5",
        "meter 1 x 10 0.1 5 6", "metre 1 x 10 0.1 5"}) {
    EXPECT_EQ(ParseMeterGreeting(line).status().code(), StatusCode::kDataCorrupt) << line;
  }
}

TEST(MeterGreetingTest, RefusesANameThatIsNoShortPrintableWord) {
  EXPECT_TRUE(ParseMeterGreeting("meter 1 " + std::string(64, 'x') + " 10 0.1 5").ok());
  for (const std::string& name :
       {std::string(65, 'x'), std::string("a\x1b[31m"), std::string("\t")})
    EXPECT_EQ(ParseMeterGreeting("meter 1 " + name + " 10 0.1 5").status().code(),
              StatusCode::kDataCorrupt);
}

TEST(MeterProgramTest, ShowsARejectedLineWithoutWhatATerminalWouldObey) {
  const Status greeting = StartMeterProgram("printf 'ok\\033]0;title\\a\\r\\n'").status();
  EXPECT_EQ(greeting.code(), StatusCode::kDataCorrupt);
  EXPECT_THAT(greeting.message(), HasSubstr("got 'ok\\x1b]0;title\\x07\\x0d'"));
  const Status version = ParseMeterGreeting("meter \x9b x").status();
  EXPECT_THAT(version.message(), HasSubstr("version '\\x9b', expected 1"));
  EnergyQuantity quantity = EnergyQuantity::kPowerW;
  const Status sample = ParseMeterSample("\x1b[2J", quantity).status();
  EXPECT_THAT(sample.message(), HasSubstr("got '\\x1b[2J'"));
  const Status long_line = ParseMeterGreeting(std::string(500, '\x01')).status();
  EXPECT_THAT(long_line.message(), HasSubstr("\\x01'... (500 bytes)"));
}

TEST(MeterSampleTest, ReadsPowerAndEnergy) {
  EnergyQuantity quantity = EnergyQuantity::kEnergyJ;
  const Result<EnergySample> power = ParseMeterSample("1200,5.0,0.5", quantity);
  ASSERT_TRUE(power.ok());
  EXPECT_EQ(quantity, EnergyQuantity::kPowerW);
  EXPECT_EQ(power->time_ns, 1200);
  EXPECT_EQ(power->value, 2.5);
  const Result<EnergySample> energy = ParseMeterSample("-7,2000000", quantity);
  ASSERT_TRUE(energy.ok());
  EXPECT_EQ(quantity, EnergyQuantity::kEnergyJ);
  EXPECT_EQ(energy->time_ns, -7);
  EXPECT_EQ(energy->value, 2.0);
}

TEST(MeterSampleTest, RefusesWhatIsNotOne) {
  EnergyQuantity quantity = EnergyQuantity::kPowerW;
  for (const std::string_view line : {"", "1", "1,", "1,2,", "1,2,3,4", "a,2,3", "1,nan,3",
                                      "1,2,inf", "1.5,2,3", "1, 2,3", "99999999999999999999,1,1"}) {
    EXPECT_EQ(ParseMeterSample(line, quantity).status().code(), StatusCode::kDataCorrupt) << line;
  }
}

TEST(AlignSamplesTest, CorrectsOffsetAndSkew) {
  // A meter whose clock is 1 s ahead and 200 ppm fast.
  const MeterClock clock{.meter_start_ns = kSecond,
                         .meter_stop_ns = kSecond + 10 * kSecond + 2'000'000,
                         .own_start_ns = 0,
                         .own_stop_ns = 10 * kSecond};
  std::vector<EnergySample> samples = {{kSecond, 1.0}, {kSecond + 5 * kSecond + 1'000'000, 2.0}};
  ASSERT_TRUE(AlignSamples(clock, samples).ok());
  EXPECT_EQ(samples[0].time_ns, 0);
  EXPECT_EQ(samples[1].time_ns, 5 * kSecond);
  EXPECT_EQ(samples[1].value, 2.0);
}

TEST(AlignSamplesTest, RefusesClocksThatRunAtAnotherSpeed) {
  std::vector<EnergySample> samples;
  MeterClock clock{.meter_start_ns = 0,
                   .meter_stop_ns = 10 * kSecond + 10'000'001,
                   .own_start_ns = 0,
                   .own_stop_ns = 10 * kSecond};
  EXPECT_EQ(AlignSamples(clock, samples).code(), StatusCode::kDataCorrupt);
  clock.uncertainty_ns = 1;  // Explains the last nanosecond.
  EXPECT_TRUE(AlignSamples(clock, samples).ok());
  clock.meter_stop_ns = 0;
  EXPECT_EQ(AlignSamples(clock, samples).code(), StatusCode::kDataCorrupt);
}

// A meter in the shell: the words of `samples` are printed after the start.
std::string ShellMeter(const std::string& samples) {
  return "echo meter 1 shell 1000 0.01 20; while read question; do "
         "if [ $question = stop ]; then echo stopped $(date +%s%N); continue; fi; "
         "echo started $(date +%s%N); for s in " +
         samples + "; do echo $s; done; done";
}

TEST(MeterProgramTest, RecordsWhatTheProgramPrints) {
  Result<std::unique_ptr<EnergySource>> meter = StartMeterProgram(ShellMeter("10,5,1 20,5,2"));
  ASSERT_TRUE(meter.ok()) << meter.status().message();
  EXPECT_EQ((*meter)->info().name, "meter:shell");
  ASSERT_TRUE((*meter)->Start(0).ok());
  const Result<EnergyTrace> trace = (*meter)->Finish(0);
  ASSERT_TRUE(trace.ok()) << trace.status().message();
  ASSERT_EQ(trace->samples.size(), 2U);
  EXPECT_EQ(trace->samples[0].value, 5.0);
  EXPECT_EQ(trace->samples[1].value, 10.0);
  EXPECT_GT(trace->clock_uncertainty_ns, 0);
}

TEST(MeterProgramTest, TellsWhatIsWrongWithTheProgram) {
  const Status missing = StartMeterProgram("exec /nonexistent/meter 2>/dev/null").status();
  EXPECT_EQ(missing.code(), StatusCode::kUnavailable);
  EXPECT_THAT(missing.message(), HasSubstr("--meter 'exec /nonexistent/meter"));
  EXPECT_THAT(missing.message(), HasSubstr("cannot be started: there is no such program"));
  EXPECT_THAT(StartMeterProgram("exec /etc/passwd 2>/dev/null").status().message(),
              HasSubstr("cannot be started: it is not executable"));
  EXPECT_THAT(StartMeterProgram("exit 3").status().message(),
              HasSubstr("has ended with exit code 3 and no greeting"));
  EXPECT_THAT(StartMeterProgram("kill -9 $$").status().message(), HasSubstr("ended by signal 9"));
  EXPECT_THAT(StartMeterProgram(METER_SYNTHETIC_PATH " --watts inf 2>/dev/null").status().message(),
              HasSubstr("exit code 2"));
  EXPECT_EQ(StartMeterProgram("echo hello").status().code(), StatusCode::kDataCorrupt);
  EXPECT_EQ(StartMeterProgram("head -c 1000 /dev/zero").status().code(), StatusCode::kDataCorrupt);
}

TEST(MeterProgramTest, EndsAProgramThatIgnoresTermination) {
  Result<std::unique_ptr<EnergySource>> meter = StartMeterProgram(
      "trap '' TERM; echo meter 1 stubborn 1000 0.01 20; while :; do sleep 100; done");
  ASSERT_TRUE(meter.ok()) << meter.status().message();
  meter->reset();
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);  // No child is left.
}

TEST(MeterProgramTest, RefusesAMeterThatDiesOrMixesKinds) {
  Result<std::unique_ptr<EnergySource>> dies =
      StartMeterProgram("echo meter 1 dies 1000 0.01 20; read start; echo started 0; echo 10,5,1");
  ASSERT_TRUE(dies.ok());
  const Status started = (*dies)->Start(0);
  EXPECT_EQ((started.ok() ? (*dies)->Finish(0).status() : started).code(),
            StatusCode::kUnavailable);
  Result<std::unique_ptr<EnergySource>> mixes = StartMeterProgram(ShellMeter("10,5,1 20,5"));
  ASSERT_TRUE(mixes.ok());
  const Status mixed = (*mixes)->Start(0);
  EXPECT_EQ((mixed.ok() ? (*mixes)->Finish(0).status() : mixed).code(), StatusCode::kDataCorrupt);
}

// Every sample must lie on the wave within what the clocks' alignment allows; t counts from the
// first.
void ExpectWave(const EnergyTrace& trace) {
  ASSERT_FALSE(trace.samples.empty());
  // Steepest slope: 2 W * 2 pi / 1.7 s; plus the rate error that short recordings cannot exclude.
  const double tolerance_w = 7.4 * 4e-9 * static_cast<double>(trace.clock_uncertainty_ns) + 1e-3;
  for (const EnergySample& sample : trace.samples) {
    const double t = static_cast<double>(sample.time_ns - trace.samples[0].time_ns) * 1e-9;
    EXPECT_NEAR(sample.value, 4.0 + 2.0 * std::sin(2.0 * std::numbers::pi * t / 1.7), tolerance_w);
  }
}

TEST(MeterProgramTest, RecordsTheWaveOfTheSyntheticMeterWhateverItsClock) {
  for (const char* clock : {"", " --clock-offset-ms 1000 --clock-skew-ppm 200"}) {
    Result<std::unique_ptr<EnergySource>> meter =
        StartMeterProgram(std::string("exec ").append(METER_SYNTHETIC_PATH).append(clock));
    ASSERT_TRUE(meter.ok()) << meter.status().message();
    EXPECT_EQ((*meter)->info().max_power_w, 12.0);
    for (int recording = 0; recording < 2; ++recording) {
      ASSERT_TRUE((*meter)->Start(0).ok());
      const auto start = std::chrono::steady_clock::now();
      while (std::chrono::steady_clock::now() - start < std::chrono::milliseconds(30)) {
        ASSERT_TRUE((*meter)->Poll(0).ok());
      }
      const Result<EnergyTrace> trace = (*meter)->Finish(0);
      ASSERT_TRUE(trace.ok()) << trace.status().message();
      EXPECT_GE(trace->samples.size(), 30U);  // One each millisecond.
      ExpectWave(*trace);
    }
  }
}

TEST(MeterProgramTest, PlaysARecordingEveryTime) {
  const std::string path = ::testing::TempDir() + "/meter_replay_test.txt";
  std::ofstream(path) << "meter 1 bench 1000 0.01 20\nstarted 4\n5000,5,0.5\nstopped 9\n";
  Result<std::unique_ptr<EnergySource>> meter =
      StartMeterProgram(std::string("exec ").append(METER_REPLAY_PATH).append(" ").append(path));
  ASSERT_TRUE(meter.ok()) << meter.status().message();
  EXPECT_EQ((*meter)->info().name, "meter:bench");
  for (int recording = 0; recording < 2; ++recording) {
    ASSERT_TRUE((*meter)->Start(0).ok());
    const Result<EnergyTrace> trace = (*meter)->Finish(0);
    ASSERT_TRUE(trace.ok()) << trace.status().message();
    ASSERT_EQ(trace->samples.size(), 1U);
    EXPECT_EQ(trace->samples[0].value, 2.5);
  }
  std::remove(path.c_str());
}

TEST(MeterProgramTest, EndsWithTwoForWrongUsage) {
  for (const char* program : {METER_REPLAY_PATH, METER_SYNTHETIC_PATH " --fly"}) {
    const int status = std::system((std::string(program) + " 2> /dev/null").c_str());
    EXPECT_EQ(WEXITSTATUS(status), 2) << program;
  }
}

}  // namespace
}  // namespace bitpilot
