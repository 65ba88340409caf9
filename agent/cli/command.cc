#include "agent/cli/command.h"

#include <unistd.h>
#include <csignal>
#include <cstdio>
#include <filesystem>

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

Status CheckOutput(const std::string& flag, const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  const std::string where = flag + " " + path;
  const fs::file_status status = fs::status(path, error);
  if (fs::is_directory(status)) return InvalidArgument(where + " is a folder; name a file in it");
  const fs::path folder = fs::path(path).parent_path();
  std::error_code ignored;
  if (!folder.empty() && !fs::is_directory(folder, ignored)) {
    return Status(StatusCode::kNotFound, where + ": there is no folder " + folder.string());
  }
  if (error && status.type() != fs::file_type::not_found) {
    return InvalidArgument(where + ": " + error.message());
  }
  return Status();
}

Status CheckOutput(const std::string& flag, const std::string& path, bool json) {
  if (path != kStandardOutput) return CheckOutput(flag, path);
  if (!json) return Status();
  return InvalidArgument(flag + " - and --json both want the standard output: name a file");
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
