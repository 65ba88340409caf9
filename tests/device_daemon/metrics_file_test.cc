#include "device_daemon/server/metrics_file.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <sstream>
#include <string>

#include "tests/device_daemon/temporary_folder.h"

namespace bitpilot {
namespace {

DaemonMetrics Metrics() {
  DaemonMetrics metrics;
  metrics.board = "pi \"4\"\\lab";
  metrics.status.set_state("TIMING");
  metrics.status.set_uptime_ms(90'500);
  metrics.status.add_queue();
  v1::StatusCount& crashes = *metrics.status.add_finished();
  crashes.set_status(v1::CRASH);
  crashes.set_count(3);
  metrics.status.set_clock_mhz(1'450.5);
  metrics.refused_peers = 12;
  return metrics;
}

// The grammar of the exposition format: comments, or a name, labels and a number.
TEST(MetricsFileTest, WritesPrometheusTextForm) {
  const std::regex comment(R"(# (HELP [a-z_]+ \S.*|TYPE [a-z_]+ (gauge|counter)))");
  const std::regex sample(R"re(([a-z_]+)\{([a-z]+="([^"\\\n]|\\["\\n])*",?)+\} [-+0-9.e]+)re");
  std::set<std::string> typed;
  std::istringstream lines(ToPrometheusText(Metrics()));
  int samples = 0;
  for (std::string line; std::getline(lines, line);) {
    std::smatch match;
    if (line.starts_with("#")) {
      EXPECT_TRUE(std::regex_match(line, comment)) << line;
      if (line.starts_with("# TYPE ")) {
        EXPECT_TRUE(typed.insert(line.substr(7, line.find(' ', 7) - 7)).second) << line;
      }
    } else {
      ASSERT_TRUE(std::regex_match(line, match, sample)) << line;
      EXPECT_TRUE(typed.contains(match[1])) << line;
      ++samples;
    }
  }
  EXPECT_GT(samples, 10);
}

TEST(MetricsFileTest, TellsWhatItWasGivenAndLeavesOutWhatIsNotKnown) {
  const std::string text = ToPrometheusText(Metrics());
  const std::string board = R"(board="pi \"4\"\\lab")";
  for (const std::string& line :
       {"bitpilot_board_state{" + board + ",state=\"TIMING\"} 1\n",
        "bitpilot_board_uptime_seconds{" + board + "} 90.5\n",
        "bitpilot_board_queue_length{" + board + "} 1\n",
        "bitpilot_board_measurements_total{" + board + ",status=\"CRASH\"} 3\n",
        "bitpilot_board_refused_peers_total{" + board + "} 12\n",
        "bitpilot_board_clock_mhz{" + board + "} 1450.5\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
  }
  EXPECT_EQ(text.find("temperature"), std::string::npos);
  EXPECT_EQ(text.find("claimed"), std::string::npos);
}

TEST(MetricsFileTest, ReplacesTheFileAndNamesOneThatItCannotWrite) {
  const TemporaryFolder folder;
  const std::string path = folder / "bitpilot.prom";
  std::ofstream(path) << "old\n";
  ASSERT_TRUE(WriteMetrics(path, Metrics()).ok());
  std::ifstream file(path);
  EXPECT_EQ(std::string((std::istreambuf_iterator<char>(file)), {}), ToPrometheusText(Metrics()));
  const Status failed = WriteMetrics(folder / "none/bitpilot.prom", Metrics());
  EXPECT_EQ(failed.code(), StatusCode::kNotFound);
  EXPECT_NE(failed.message().find("none/bitpilot.prom"), std::string::npos);
}

}  // namespace
}  // namespace bitpilot
