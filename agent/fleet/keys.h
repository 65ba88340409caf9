// The agent's CURVE key pair on disk: a folder with
//
//   agent.key   the secret key, mode 0600
//   agent.pub   the public key, which daemons' lists of authorized agents name
//
// Each file holds one key, 40 characters of Z85, and a line end.
#pragma once

#include <string>

#include "agent/fleet/board.h"
#include "kernels/base/status.h"

namespace bitpilot {

// Creates a key pair in `directory`, which is made (0700) if it is missing.
//
// overwrite: replace existing keys; boards that know the old one will refuse the agent.
//
// Errors:
//   kInvalidArgument    keys exist already and `overwrite` is false.
//   kPermissionDenied, kResourceExhausted  the folder or a file cannot be written; the old secret
//                       key stays.
Result<AgentKeys> CreateAgentKeys(const std::string& directory, bool overwrite);

// Reads the key pair and checks that its halves belong together.
//
// Errors:
//   kNotFound           no keys there; the message says how to make them.
//   kPermissionDenied   agent.key cannot be read, others than its owner can read it, or it is
//                       another user's (kernels/base/guarded_file.h).
//   kDataCorrupt        a file does not hold a key, or the two keys are not a pair.
Result<AgentKeys> ReadAgentKeys(const std::string& directory);

}  // namespace bitpilot
