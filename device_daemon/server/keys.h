// The key folder: who this daemon is, and which agents may talk to it.
//
//   daemon.key         secret CURVE key, one line of Z85; only its owner may read it (0600)
//   daemon.pub         public key, one line: what agents put into their fleet file
//   authorized_agents  one agent a line: NAME PUBLIC_KEY. Lines that start with '#' and empty lines
//   are skipped.
//                      (A Z85 key may contain '#' itself, so comments take whole lines.)
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "device_daemon/server/zmq_socket.h"
#include "kernels/base/status.h"

namespace bitpilot {

// Name of every agent that may connect, by its public key.
using AuthorizedAgents = std::map<std::string, std::string>;

std::string SecretKeyPath(const std::string& folder);
std::string PublicKeyPath(const std::string& folder);
std::string AuthorizedAgentsPath(const std::string& folder);

// Makes a key pair and writes both files; creates the folder (0700) if it is missing.
//
// Errors:
//   kInvalidArgument   the folder holds a key already and `force` is false: agents that know it
//   would be locked
//                      out.
//   kPermissionDenied, kResourceExhausted  a file cannot be written; the message names it, and the
//                      old secret key stays.
Result<CurveKeys> GenerateDaemonKeys(const std::string& folder, bool force);

// Errors:
//   kNotFound          no key; the message says how to make one.
//   kPermissionDenied  others may read the secret key; the message says what to do.
//   kDataCorrupt       not a key.
Result<CurveKeys> ReadDaemonKeys(const std::string& folder);

// Errors:
//   kNotFound      no file or no agent in it; the message says how to add one.
//   kDataCorrupt   a line that is not a name and a key, or a key that is listed twice; names the
//   line.
Result<AuthorizedAgents> ReadAuthorizedAgents(const std::string& folder);
Result<AuthorizedAgents> ParseAuthorizedAgents(std::string_view text);

}  // namespace bitpilot
