#include "agent/device/local_daemon.h"

#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>
#include <utility>
#include <vector>

#include "agent/device/kernel_choices_cache.h"
#include "agent/fleet/zmq_link.h"
#include "kernels/base/file_io.h"

extern char** environ;

namespace bitpilot {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

// A machine that does much else takes its time; a daemon that ends is noticed at once.
constexpr milliseconds kStartLimit{60'000};
constexpr milliseconds kEndLimit{2000};
constexpr milliseconds kPollInterval{10};
constexpr int kMaxStarts = 2;
constexpr std::size_t kLogTailBytes = 400;
constexpr std::string_view kFolderPrefix = "bitpilot-local-";

// Removes what agents left behind that were killed: their process id is in the folder's name.
void RemoveStaleFolders(const fs::path& parent) {
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(parent, error)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(kFolderPrefix)) continue;
    const pid_t owner = std::atoi(name.c_str() + kFolderPrefix.size());
    std::error_code ignored;  // another user's folder stays
    if (owner > 0 && kill(owner, 0) != 0 && errno == ESRCH) fs::remove_all(entry.path(), ignored);
  }
}

std::string LogTail(const std::string& path) {
  const Result<std::string> log = ReadFile(path);
  if (!log.ok() || log->empty()) return "";
  std::string tail = log->substr(log->size() - std::min(log->size(), kLogTailBytes));
  while (!tail.empty() && tail.back() == '\n') tail.pop_back();
  return "; its log ends with: " + tail;
}

// Lets this thread, and so the daemon that it starts, use CPU number `cpu`, which this program may
// have left to an earlier daemon. Words, and what the system refuses, are the daemon's to judge.
void MayRunOn(const std::string& cpu) {
  int number = 0;
  const auto [end, error] = std::from_chars(cpu.data(), cpu.data() + cpu.size(), number);
  cpu_set_t allowed;
  if (error != std::errc() || end != cpu.data() + cpu.size() || number < 0 ||
      number >= CPU_SETSIZE || sched_getaffinity(0, sizeof allowed, &allowed) != 0) {
    return;
  }
  CPU_SET(number, &allowed);
  (void)sched_setaffinity(0, sizeof allowed, &allowed);
}

// posix_spawn's two option objects.
class SpawnSettings {
 public:
  SpawnSettings(const std::string& output, const std::string& log) {
    posix_spawn_file_actions_init(&files_);
    posix_spawn_file_actions_addopen(&files_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    // Files instead of pipes: nobody has to read them for the daemon to go on.
    posix_spawn_file_actions_addopen(&files_, STDOUT_FILENO, output.c_str(),
                                     O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_addopen(&files_, STDERR_FILENO, log.c_str(),
                                     O_WRONLY | O_CREAT | O_APPEND, 0600);
    posix_spawnattr_init(&attributes_);
    posix_spawnattr_setflags(
        &attributes_, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setpgroup(&attributes_, 0);
    sigset_t signals;
    sigemptyset(&signals);
    posix_spawnattr_setsigmask(&attributes_, &signals);
    sigfillset(&signals);
    posix_spawnattr_setsigdefault(&attributes_, &signals);
  }
  ~SpawnSettings() {
    posix_spawn_file_actions_destroy(&files_);
    posix_spawnattr_destroy(&attributes_);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;

  const posix_spawn_file_actions_t* files() const { return &files_; }
  const posix_spawnattr_t* attributes() const { return &attributes_; }

 private:
  posix_spawn_file_actions_t files_;
  posix_spawnattr_t attributes_;
};

}  // namespace

Result<std::unique_ptr<LocalDaemon>> LocalDaemon::Create(const LocalDaemonOptions& options,
                                                         const std::string& agent_public_key) {
  std::error_code error;
  const fs::path parent = fs::temp_directory_path(error);
  RemoveStaleFolders(parent);
  std::string directory =
      (parent / (std::string(kFolderPrefix) + std::to_string(getpid()) + "-XXXXXX")).string();
  if (mkdtemp(directory.data()) == nullptr) {
    return Status(StatusCode::kPermissionDenied,
                  directory + ": cannot make a temporary folder: " + std::strerror(errno));
  }
  std::unique_ptr<LocalDaemon> daemon(new LocalDaemon(options, directory));
  BITPILOT_RETURN_IF_ERROR(daemon->WriteFiles(agent_public_key));
  return daemon;
}

LocalDaemon::~LocalDaemon() {
  Terminate();
  if (options_.cost_table.empty()) KeepKernelChoices(StorePath());
  std::error_code ignored;
  fs::remove_all(directory_, ignored);
}

Status LocalDaemon::WriteFiles(const std::string& agent_public_key) {
  if (options_.cost_table.empty()) {
    RestoreKernelChoices(StorePath());
  } else {
    BITPILOT_RETURN_IF_ERROR(WriteFileAtomically(CostTablePath(), options_.cost_table, 0600));
  }
  BITPILOT_RETURN_IF_ERROR(
      WriteFileAtomically(directory_ + "/daemon.key", GenerateCurveKeys().secret_key + "\n", 0600));
  return WriteFileAtomically(directory_ + "/authorized_agents", "agent " + agent_public_key + "\n",
                             0600);
}

Result<BoardAddress> LocalDaemon::Address() {
  if (pid_ > 0 && !HasEnded()) return address_;
  if (num_starts_ >= kMaxStarts) {
    return EndedStatus("ended " + std::to_string(num_starts_) + " times");
  }
  BITPILOT_RETURN_IF_ERROR(Spawn());
  Result<BoardAddress> address = WaitUntilReady();
  if (address.ok()) {
    address_ = *address;
  } else {
    Terminate();
  }
  return address;
}

Status LocalDaemon::Spawn() {
  ++num_starts_;
  std::vector<std::string> arguments{
      options_.program, "serve",    "--listen", "tcp://127.0.0.1:0",
      "--keys",         directory_, "--store",  StorePath(),
      "--name",         "local",    "--json",   "--exit-with-parent"};
  arguments.emplace_back("--shares-agent-host");
  if (!options_.isa.empty()) arguments.insert(arguments.end(), {"--isa", options_.isa});
  if (!options_.cpu.empty()) arguments.insert(arguments.end(), {"--cpu", options_.cpu});
  if (!options_.cost_table.empty())
    arguments.insert(arguments.end(), {"--backend", "model:" + CostTablePath()});
  if (!options_.meter.empty()) arguments.insert(arguments.end(), {"--meter", options_.meter});
  if (options_.fast) arguments.emplace_back("--fast");
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  MayRunOn(options_.cpu);
  const SpawnSettings settings(ReadyPath(), LogPath());
  const int error = posix_spawn(&pid_, options_.program.c_str(), settings.files(),
                                settings.attributes(), argv.data(), environ);
  if (error == 0) return {};
  pid_ = -1;
  return {StatusCode::kUnavailable,
          "cannot start " + options_.program + ": " + std::strerror(error)};
}

Result<BoardAddress> LocalDaemon::WaitUntilReady() {
  const auto deadline = std::chrono::steady_clock::now() + kStartLimit;
  while (std::chrono::steady_clock::now() < deadline) {
    const Result<std::string> line = ReadFile(ReadyPath());
    if (line.ok() && line->ends_with('\n')) {
      const nlohmann::json ready = nlohmann::json::parse(*line, nullptr, false);
      if (ready.is_object() && ready.value("type", "") == "error" && ready.contains("message") &&
          ready["message"].is_string()) {
        return Status(StatusCode::kUnavailable,
                      options_.program + ": " + ready["message"].get<std::string>());
      }
      if (!ready.is_object() || !ready.contains("endpoint") || !ready.contains("public_key")) {
        return Status(StatusCode::kUnavailable,
                      options_.program + " did not say where it listens, but: " + *line);
      }
      return BoardAddress{"local", ready["endpoint"].get<std::string>(),
                          ready["public_key"].get<std::string>(), /*listed_at=*/""};
    }
    if (HasEnded()) return EndedStatus("did not start");
    std::this_thread::sleep_for(kPollInterval);
  }
  return Status(StatusCode::kUnavailable, options_.program + " was not ready after " +
                                              std::to_string(kStartLimit.count() / 1000) + " s" +
                                              LogTail(LogPath()));
}

bool LocalDaemon::HasEnded() {
  if (pid_ <= 0) return true;
  int status = 0;
  const pid_t ended = waitpid(pid_, &status, WNOHANG);
  if (ended == 0) return false;
  // Without a status, somebody else in this program collected it.
  if (ended != pid_) {
    ending_ = "unknown reason";
  } else if (WIFSIGNALED(status)) {
    ending_ = "signal " + std::to_string(WTERMSIG(status));
  } else {
    ending_ = "exit code " + std::to_string(WEXITSTATUS(status));
  }
  pid_ = -1;
  return true;
}

void LocalDaemon::Terminate() {
  if (pid_ <= 0) return;
  kill(pid_, SIGTERM);
  const auto deadline = std::chrono::steady_clock::now() + kEndLimit;
  while (!HasEnded()) {
    if (std::chrono::steady_clock::now() >= deadline) kill(pid_, SIGKILL);
    std::this_thread::sleep_for(kPollInterval);
  }
}

Status LocalDaemon::EndedStatus(const std::string& what) const {
  return {StatusCode::kUnavailable,
          options_.program + " " + what + " (" + ending_ + ")" + LogTail(LogPath())};
}

Result<std::string> FindDaemonProgram() {
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error).parent_path();
  std::vector<fs::path> candidates{self / "bitpilotd", self / "../device_daemon/bitpilotd",
                                   self / "../../device_daemon/bitpilotd"};
  const char* path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (!folder.empty()) candidates.push_back(fs::path(folder) / "bitpilotd");
  }
  for (const fs::path& candidate : candidates) {
    if (fs::is_regular_file(candidate, error) && access(candidate.c_str(), X_OK) == 0) {
      return candidate.lexically_normal().string();
    }
  }
  return Status(StatusCode::kNotFound, "no bitpilotd beside this program (" + self.string() +
                                           ") or in PATH; build or install it, or give a board "
                                           "with --fleet");
}

}  // namespace bitpilot
