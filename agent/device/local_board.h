// A board that is this machine, or a model: a daemon of our own.
#pragma once

#include <memory>
#include <string>

#include "agent/fleet/board.h"
#include "kernels/base/status.h"

namespace bitpilot {

// Starts a bitpilotd of our own on loopback with throw-away keys and connects to it; the daemon
// ends with the board.
//
// device: what follows "--device": "local", "local:avx2", "model:TABLE" (a profile's
// lut.json, a cost table, or a shipped board's name: agent/profile/model_board.h).
//
// Errors: as ConnectBoard, and
//   kInvalidArgument  no such device, `fast` for one that is no model, or `cpu` for a model.
//   kNotFound         no bitpilotd is beside this program or in PATH, or TABLE does not exist.
//   kUnsupported      this CPU lacks the instruction set, or Linux refuses it.
Result<std::unique_ptr<Board>> StartLocalBoard(const std::string& device,
                                               const BoardOptions& options);

}  // namespace bitpilot
