#include "agent/cli/command.h"

#include <unistd.h>
#include <csignal>
#include <cstdio>

#include <nlohmann/json.hpp>

namespace bitpilot {
namespace {

volatile std::sig_atomic_t stop_requested = 0;

void RequestStop(int signal) {
  if (stop_requested != 0) _exit(128 + signal);
  stop_requested = 1;
}

}  // namespace

void AddCpuFlag(CLI::App& command, std::string& cpu) {
  command.add_option("--cpu", cpu,
                     "Of --device local: the CPU that measures: its number, or big or little (the "
                     "strongest or weakest kind of this chip). Default: the last of the strongest");
}

void AddJsonFlag(CLI::App& command, bool& json) {
  command.add_flag(
      "--json", json,
      "Print one JSON object a line on standard output; the last has \"type\":\"result\"");
}

void PrintJson(const nlohmann::json& line) {
  // A file's name need not be UTF-8, which JSON is.
  constexpr auto kReplace = nlohmann::json::error_handler_t::replace;
  std::printf("%s\n", line.dump(-1, ' ', /*ensure_ascii=*/false, kReplace).c_str());
  std::fflush(stdout);
}

void PrintErrorLine(const Status& status) {
  PrintJson({{"type", "error"},
             {"code", std::string(ToString(status.code()))},
             {"message", status.message()}});
}

int Fail(const Status& status, bool json) {
  std::fprintf(stderr, "bitpilot: %s\n", status.message().c_str());
  if (json) PrintErrorLine(status);
  return status.code() == StatusCode::kInvalidArgument ? kExitUsage : kExitFailed;
}

std::string Joined(const std::vector<std::string>& texts) {
  std::string joined;
  for (const std::string& text : texts) joined += (joined.empty() ? "" : ", ") + text;
  return joined;
}

void StopOnSignals() {
  struct sigaction action {};
  action.sa_handler = RequestStop;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool StopRequested() { return stop_requested != 0; }

}  // namespace bitpilot
