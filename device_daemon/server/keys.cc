#include "device_daemon/server/keys.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <sstream>
#include <system_error>
#include <utility>

#include "kernels/base/atomic_file.h"
#include "kernels/base/file_io.h"
#include "kernels/base/guarded_file.h"
#include "kernels/base/quoted.h"
#include "kernels/base/shell_word.h"
#include "kernels/base/utf8.h"

namespace bitpilot {
namespace {

namespace fs = std::filesystem;

// An empty list for later lines to be appended to. Where users make files that their group may
// write, the first `echo ... >>` would else make one that is refused.
Status MakeAgentList(const std::string& path) {
  std::error_code error;
  if (fs::exists(fs::symlink_status(path, error))) return {};
  return WriteFileAtomically(path, "", 0644);
}

// False if what follows the key is something else.
bool ReadRoleAndLastDay(std::istringstream& words, AuthorizedAgent& agent) {
  static const std::map<std::string, v1::Role> kRoles{
      {"agent", v1::AGENT}, {"observer", v1::OBSERVER}, {"admin", v1::ADMIN}};
  std::string word;
  if (!(words >> word)) return true;
  if (const auto role = kRoles.find(word); role != kRoles.end()) {
    agent.role = role->second;
    if (!(words >> word)) return true;
  }
  agent.last_day = ParseDay(word);
  return agent.last_day && !(words >> word);
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
  BITPILOT_RETURN_IF_ERROR(MakeFolderDurably(folder, 0700));
  CurveKeys keys = MakeCurveKeys();
  // Both are on the disk before either takes its place, the secret last: what fails leaves the old
  // secret, from which the daemon derives its public key.
  Result<StagedFile> secret = StagedFile::Write(path, keys.secret_key + "\n", 0600);
  if (!secret.ok()) return secret.status();
  Result<StagedFile> shown = StagedFile::Write(PublicKeyPath(folder), keys.public_key + "\n", 0644);
  if (!shown.ok()) return shown.status();
  BITPILOT_RETURN_IF_ERROR(shown->Commit());
  BITPILOT_RETURN_IF_ERROR(secret->Commit());
  BITPILOT_RETURN_IF_ERROR(MakeAgentList(AuthorizedAgentsPath(folder)));
  return keys;
}

Status GiveSecretKeyTo(const SystemUser& user, const std::string& folder) {
  const std::string path = SecretKeyPath(folder);
  if (chmod(folder.c_str(), 0755) != 0) return FileError(folder, "change the mode of", errno);
  if (chown(path.c_str(), user.uid, user.gid) == 0) return {};
  return FileError(path, "give user " + user.name, errno)
      .WithContext("run as root, with --force if the key is new");
}

Result<CurveKeys> ReadDaemonKeys(const std::string& folder) {
  const std::string path = SecretKeyPath(folder);
  const Result<std::string> text = ReadGuardedFile(path, GuardedContent::kSecret);
  if (!text.ok() && text.status().code() == StatusCode::kNotFound) {
    return Status(StatusCode::kNotFound, text.status().message() +
                                             ". Make a key with `bitpilotd keygen --keys " +
                                             ShellWord(folder) + "`");
  }
  if (!text.ok()) return text.status();
  std::string secret;
  std::istringstream(std::string(WithoutByteOrderMark(*text))) >> secret;
  Result<std::string> public_key = CurvePublicKey(secret);
  if (!public_key.ok()) return DataCorrupt(path + ": " + public_key.status().message());
  return CurveKeys{std::move(*public_key), std::move(secret)};
}

std::string WhyNotToday(const AuthorizedAgent& agent, std::optional<Day> today) {
  if (!agent.last_day) return {};
  if (!today) {
    return "the key of " + Quoted(agent.name) +
           " has a last day, and the board's clock is not set; set it";
  }
  if (*today <= *agent.last_day) return {};
  return "the key of " + Quoted(agent.name) + " has expired, its last day was " +
         ToString(*agent.last_day);
}

AgentList ParseAgentList(std::string_view text) {
  AgentList list;
  std::istringstream lines{std::string(WithoutByteOrderMark(text))};
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    std::istringstream words(line);
    AuthorizedAgent agent;
    std::string key;
    if (!(words >> agent.name) || agent.name.starts_with('#')) continue;
    words >> key;
    const std::string where = "line " + std::to_string(number);
    const std::string name = agent.name;
    if (!IsCurveKey(key) || !ReadRoleAndLastDay(words, agent)) {
      list.problems.push_back(where + " admits nobody: expected NAME, a public key of 40 " +
                              "characters and, if anything, a role (agent, observer or admin) and "
                              "a last day (YYYY-MM-DD), got " +
                              Quoted(line));
    } else if (!list.agents.emplace(key, std::move(agent)).second) {
      list.problems.push_back(where + " adds nothing: the key of " + Quoted(name) +
                              " is listed already, for " + Quoted(list.agents[key].name));
    }
  }
  return list;
}

Result<AgentList> ReadAgentList(const std::string& folder) {
  const std::string path = AuthorizedAgentsPath(folder);
  const Result<std::string> text = ReadGuardedFile(path, GuardedContent::kList);
  if (!text.ok() && text.status().code() != StatusCode::kNotFound) return text.status();
  AgentList list = text.ok() ? ParseAgentList(*text) : AgentList();
  for (std::string& problem : list.problems) problem = path + ": " + problem;
  if (list.agents.empty()) list.problems.push_back(HowToAuthorize(path));
  return list;
}

}  // namespace bitpilot
