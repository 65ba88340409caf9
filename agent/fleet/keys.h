// The agent's CURVE key pair on disk: a folder with
//
//   agent.key   the secret key, mode 0600
//   agent.pub   the public key, which daemons' lists of authorized agents name
//
// Each file holds one key, 40 characters of Z85, and a line end. The secret counts: the public key
// follows from it, and agent.pub is there to be copied.
#pragma once

#include <string>

#include "agent/fleet/board.h"
#include "kernels/base/status.h"

namespace bitpilot {

// Creates a key pair in `directory`, which is made (0700) if it is missing. Where a sound secret key
// is there already and agent.pub is missing or another key's, as a power cut may leave it, writes
// agent.pub anew and returns that pair.
//
// overwrite: replace existing keys; boards that know the old one will refuse the agent.
//
// Errors:
//   kInvalidArgument    keys exist already, nothing is wrong with agent.pub and `overwrite` is false.
//   kPermissionDenied, kResourceExhausted  the folder or a file cannot be written; the old secret
//                       key stays.
Result<AgentKeys> CreateAgentKeys(const std::string& directory, bool overwrite);

// Reads the secret key; the public one follows from it, whatever agent.pub holds.
//
// Errors:
//   kNotFound           no keys there; the message says how to make them.
//   kPermissionDenied   agent.key cannot be read, others than its owner can read it, or it is
//                       another user's (kernels/base/guarded_file.h).
//   kDataCorrupt        agent.key does not hold a key.
Result<AgentKeys> ReadAgentKeys(const std::string& directory);

}  // namespace bitpilot
