// A board that is this machine, or a model: a daemon of our own.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "agent/fleet/board.h"
#include "kernels/base/cost_table.h"
#include "kernels/base/status.h"

namespace bitpilot {

// What can be known of `device` before anything is started: see StartLocalBoard() for its forms and
// for the errors. Returns the table of a model board, unless that can be read only once.
Result<std::optional<CostTable>> CheckLocalDevice(const std::string& device, bool fast,
                                                  const std::string& cpu);

// Starts a bitpilotd of our own on loopback with throw-away keys and connects to it; the daemon
// ends with the board.
//
// device: what follows "--device": "local", "local:avx2", "model:TABLE" (a profile's
// lut.json, a cost table, or a shipped board's name: agent/profile/model_board.h).
//
// Errors: as ConnectBoard, and
//   kInvalidArgument  no such device or TABLE, `fast` for one that is no model, or `cpu` for a model.
//   kNotFound         no bitpilotd is beside this program or in PATH.
//   kUnsupported      this CPU lacks the instruction set, or Linux refuses it.
Result<std::unique_ptr<Board>> StartLocalBoard(const std::string& device,
                                               const BoardOptions& options);

// Hex SHA-256 of the table of a model board, in its text format; empty for this machine.
//
// Errors: kInvalidArgument and kUnsupported as StartLocalBoard().
Result<std::string> DeviceSha256(const std::string& device);

}  // namespace bitpilot
