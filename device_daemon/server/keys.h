// The key folder: who this daemon is, and which agents may talk to it.
//
//   daemon.key         secret CURVE key, one line of Z85; only its owner may read it (0600)
//   daemon.pub         public key, one line: what agents put into their fleet file
//   authorized_agents  one agent a line: NAME PUBLIC_KEY [ROLE] [LAST_DAY]; only its owner may write
//                      it. The role is agent (by default), observer or admin (bitpilot.proto, Role);
//                      the last day, YYYY-MM-DD in UTC, is the last one on which the key is good.
//                      Lines that start with '#' and empty lines are skipped. (A Z85 key may contain
//                      '#' itself, so comments take whole lines.)
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "device_daemon/server/calendar_day.h"
#include "device_daemon/server/system_user.h"
#include "device_daemon/server/zmq_socket.h"
#include "kernels/base/status.h"
#include "proto/bitpilot.pb.h"

namespace bitpilot {

struct AuthorizedAgent {
  std::string name;
  v1::Role role = v1::AGENT;
  std::optional<Day> last_day = {};

  friend bool operator==(const AuthorizedAgent&, const AuthorizedAgent&) = default;
};

// Every agent that may connect, by its public key.
using AuthorizedAgents = std::map<std::string, AuthorizedAgent>;

// Why a key must not be let in today; empty if it may. today: nothing while the board's clock is not
// set.
std::string WhyNotToday(const AuthorizedAgent& agent, std::optional<Day> today);

std::string SecretKeyPath(const std::string& folder);
std::string PublicKeyPath(const std::string& folder);
std::string AuthorizedAgentsPath(const std::string& folder);

// Makes a key pair and writes both files, and an empty authorized_agents if there is none; creates
// the folder (0700) if it is missing.
//
// Errors:
//   kInvalidArgument   the folder holds a key already and `force` is false: agents that know it
//                      would be locked out.
//   kPermissionDenied, kResourceExhausted  a file cannot be written; the message names it, and the
//                      old secret key stays.
Result<CurveKeys> GenerateDaemonKeys(const std::string& folder, bool force);

// For a daemon of another user: gives that user the secret key, and lets everybody look into the
// folder. Folder and authorized_agents keep their owner, so that the daemon cannot let agents in.
//
// Errors: kPermissionDenied where this process is not root; the message names the file.
Status GiveSecretKeyTo(const SystemUser& user, const std::string& folder);

// Errors:
//   kNotFound          no key; the message says how to make one.
//   kPermissionDenied  others may read the secret key, or it is another user's; says what to do.
//   kInvalidArgument   as ReadGuardedFile().
//   kDataCorrupt       not a key.
Result<CurveKeys> ReadDaemonKeys(const std::string& folder);

// What authorized_agents says.
struct AgentList {
  AuthorizedAgents agents;
  // For the log: lines that admit nobody because they cannot be read, with the reason; what to do
  // if the list is empty.
  std::vector<std::string> problems;
};

// An empty or missing file is a list, too: nobody may connect.
//
// Errors: kPermissionDenied, kInvalidArgument as ReadGuardedFile(): others could have written it.
Result<AgentList> ReadAgentList(const std::string& folder);
AgentList ParseAgentList(std::string_view text);

}  // namespace bitpilot
