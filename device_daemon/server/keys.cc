#include "device_daemon/server/keys.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <sstream>
#include <system_error>
#include <utility>

#include "kernels/base/file_io.h"

namespace bitpilot {
namespace {

namespace fs = std::filesystem;

Status CannotWrite(const std::string& path) {
  return {StatusCode::kPermissionDenied, "cannot write " + path + ": " + std::strerror(errno)};
}

// Writes beside `path` and renames, so that a full disk or a crash leaves the old key.
Status WriteLine(const std::string& path, const std::string& line, mode_t mode) {
  const std::string temporary = path + ".new";
  const int file = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
  if (file < 0) return CannotWrite(temporary);
  const std::string text = line + "\n";
  const bool written = fchmod(file, mode) == 0 &&
                       write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                       fsync(file) == 0;
  const Status status = written ? Status() : CannotWrite(temporary);
  close(file);
  BITPILOT_RETURN_IF_ERROR(status);
  if (std::rename(temporary.c_str(), path.c_str()) != 0) return CannotWrite(path);
  return {};
}

std::string HowToAuthorize(const std::string& path) {
  return path +
         ": no agent is authorized yet. Add a line \"NAME PUBLIC_KEY\" with the key that "
         "`bitpilot fleet keygen` prints on the agent's machine";
}

}  // namespace

std::string SecretKeyPath(const std::string& folder) { return folder + "/daemon.key"; }
std::string PublicKeyPath(const std::string& folder) { return folder + "/daemon.pub"; }
std::string AuthorizedAgentsPath(const std::string& folder) {
  return folder + "/authorized_agents";
}

Result<CurveKeys> GenerateDaemonKeys(const std::string& folder, bool force) {
  const std::string path = SecretKeyPath(folder);
  std::error_code error;
  if (!force && fs::exists(path, error)) {
    return InvalidArgument(path +
                           " exists: agents that know its public key would be locked out. Use "
                           "--force to replace it");
  }
  if (fs::create_directories(folder, error)) {
    fs::permissions(folder, fs::perms::owner_all, error);
  }
  CurveKeys keys = MakeCurveKeys();
  BITPILOT_RETURN_IF_ERROR(WriteLine(path, keys.secret_key, 0600));
  BITPILOT_RETURN_IF_ERROR(WriteLine(PublicKeyPath(folder), keys.public_key, 0644));
  return keys;
}

Result<CurveKeys> ReadDaemonKeys(const std::string& folder) {
  const std::string path = SecretKeyPath(folder);
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) {
    return Status(StatusCode::kNotFound, path + ": " + std::strerror(errno) +
                                             ". Make a key with `bitpilotd keygen --keys " +
                                             folder + "`");
  }
  if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return Status(StatusCode::kPermissionDenied,
                  path + ": others may read the secret key; run `chmod 600 " + path + "`");
  }
  Result<std::string> text = ReadFile(path);
  if (!text.ok()) return text.status();
  std::string secret;
  std::istringstream(*text) >> secret;
  Result<std::string> public_key = CurvePublicKey(secret);
  if (!public_key.ok()) return DataCorrupt(path + ": " + public_key.status().message());
  return CurveKeys{std::move(*public_key), std::move(secret)};
}

Result<AuthorizedAgents> ParseAuthorizedAgents(std::string_view text) {
  AuthorizedAgents agents;
  std::istringstream lines{std::string(text)};
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    std::istringstream words(line);
    std::string name;
    std::string key;
    std::string rest;
    if (!(words >> name) || name.starts_with('#')) continue;
    words >> key >> rest;
    const std::string where = "line " + std::to_string(number);
    if (!IsCurveKey(key) || !rest.empty()) {
      return DataCorrupt(where + ": expected NAME and a public key of 40 characters");
    }
    if (!agents.emplace(key, name).second) {
      return DataCorrupt(where + ": the key of " + name + " is listed already, for " + agents[key]);
    }
  }
  return agents;
}

Result<AuthorizedAgents> ReadAuthorizedAgents(const std::string& folder) {
  const std::string path = AuthorizedAgentsPath(folder);
  const Result<std::string> text = ReadFile(path);
  if (!text.ok() && text.status().code() != StatusCode::kNotFound) return text.status();
  if (!text.ok()) return Status(StatusCode::kNotFound, HowToAuthorize(path));
  Result<AuthorizedAgents> agents = ParseAuthorizedAgents(*text);
  if (!agents.ok()) return agents.status().WithContext(path);
  if (agents->empty()) return Status(StatusCode::kNotFound, HowToAuthorize(path));
  return agents;
}

}  // namespace bitpilot
