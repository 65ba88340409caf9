// A hostile crowd at a daemon's port, small: experiments/reliability/pressure is the large one.
#include <gtest/gtest.h>

#include "experiments/reliability/pressure_run.h"
#include "tests/device_daemon/temporary_folder.h"

namespace bitpilot {
namespace {

TEST(PressureTest, F33MeasuresWhileAHostileCrowdStandsAtThePort) {
  const TemporaryFolder folder;
  PressureOptions options;
  options.folder = folder / "pressure";
  options.bitpilotd = BITPILOTD_PATH;
  options.cost_table = BITPILOT_SOURCE_DIR "/tests/loopback/toy.cost";
  options.connections = 700;
  options.duration = std::chrono::seconds{2};
  options.calm = std::chrono::seconds{1};
  const Result<PressureReport> report = RunPressure(options);
  ASSERT_TRUE(report.ok()) << report.status().message();
  EXPECT_GT(report->connections, 600);
  EXPECT_EQ(report->let_in, 0);
  EXPECT_GT(report->measurements, 3);
  EXPECT_EQ(report->failures, 0);
  EXPECT_LE(report->descriptors_after, report->descriptors_before + 5);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  EXPECT_LT(report->bytes_after, report->bytes_before + (std::size_t{32} << 20));
#endif
}

}  // namespace
}  // namespace bitpilot
