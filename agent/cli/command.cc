#include "agent/cli/command.h"

#include <unistd.h>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string_view>

#include <nlohmann/json.hpp>

#include "kernels/base/file_io.h"

namespace bitpilot {
namespace {

// What --lease takes.
constexpr char kReservationLease[] = "reservation";
constexpr char kJobLease[] = "job";

volatile std::sig_atomic_t stop_requested = 0;
volatile std::sig_atomic_t stop_asked_for = 0;

void RequestStop(int signal) {
  // A terminal that closes sends several SIGHUP, and a reader that is gone a SIGPIPE a line: neither is
  // somebody who asks twice.
  const bool is_asked = signal == SIGINT || signal == SIGTERM;
  if (is_asked && stop_asked_for != 0) _exit(128 + signal);
  if (is_asked) stop_asked_for = 1;
  stop_requested = 1;
}

bool IsIgnored(int signal) {
  struct sigaction action {};
  return sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

// The study that a file of this name would be, or lie beside; empty if there is none.
std::string StudyOf(const std::string& path) {
  const auto is_study = [](const std::string& file) {
    // A pipe that is written to never ends for who reads it.
    if (IsReadOnce(file)) return false;
    constexpr std::string_view kBegin = "SQLite format 3";
    std::string begin(kBegin.size(), '\0');
    std::ifstream(file, std::ios::binary)
        .read(begin.data(), static_cast<std::streamsize>(begin.size()));
    return begin == kBegin;
  };
  if (is_study(path)) return path;
  for (const std::string_view ending : {"-wal", "-shm", "-journal", ".lock", ".files"}) {
    if (!path.ends_with(ending)) continue;
    const std::string study = path.substr(0, path.size() - ending.size());
    if (is_study(study)) return study;
  }
  return {};
}

}  // namespace

void AddCpuFlag(CLI::App& command, std::string& cpu) {
  command.add_option("--cpu", cpu,
                     "Of --device local: the CPU that measures: its number, or big or little (the "
                     "strongest or weakest kind of this chip). Default: the last of the strongest");
}

void AddLeaseFlags(CLI::App& command, std::optional<LeaseTerms>& lease) {
  const auto terms = [&lease]() -> LeaseTerms& {
    if (!lease) lease.emplace();
    return *lease;
  };
  command
      .add_option_function<std::string>(
          "--lease",
          [terms](const std::string& kind) {
            terms().kind = kind == kJobLease ? LeaseKind::kPerJob : LeaseKind::kReservation;
          },
          "With --fleet: \"reservation\" (the default) keeps a board until this command ends; "
          "\"job\" takes turns with other agents, one job each. Waits for a board that others have")
      ->check(CLI::IsMember({kReservationLease, kJobLease}));
  command
      .add_option_function<int>(
          "--priority", [terms](const int& priority) { terms().priority = priority; },
          "With --fleet: among the agents that wait for a board, the higher one goes first "
          "(default "
          "0); nobody waits for ever")
      ->transform(WholeNumberIn(-kMaxLeasePriority, kMaxLeasePriority));
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

Status CheckOutput(const std::string& flag, const std::string& path,
                   const std::vector<std::string>& inputs) {
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
  for (const std::string& input : inputs) {
    if (!input.empty() && fs::equivalent(path, input, ignored)) {
      return InvalidArgument(where + " is " + input + " itself, which is read: name another file");
    }
  }
  const std::string study = StudyOf(path);
  if (study.empty()) return Status();
  return InvalidArgument(where +
                         (study == path ? " is a study" : " belongs to the study " + study) +
                         ", and would be lost: name another file");
}

Status CheckOutput(const std::string& flag, const std::string& path, bool json,
                   const std::vector<std::string>& inputs) {
  if (path != kStandardOutput) return CheckOutput(flag, path, inputs);
  if (!json) return Status();
  return InvalidArgument(flag + " - and --json both want the standard output: name a file");
}

void StopOnSignals() {
  struct sigaction action {};
  action.sa_handler = RequestStop;
  for (const int signal : {SIGINT, SIGTERM}) sigaction(signal, &action, nullptr);
  // Ignored by nohup, whose user wants the program to outlive the terminal, and by services.
  for (const int signal : {SIGHUP, SIGPIPE}) {
    if (!IsIgnored(signal)) sigaction(signal, &action, nullptr);
  }
}

bool StopRequested() { return stop_requested != 0; }

bool StopAskedFor() { return stop_asked_for != 0; }

}  // namespace bitpilot
