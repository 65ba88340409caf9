// The flags of `bitpilot evaluate`, and what can be known of them before LibTorch or images load.
#pragma once

#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "agent/cli/command.h"
#include "agent/device/board_choice.h"
#include "agent/model/model_definition.h"
#include "kernels/base/bit_assignment.h"
#include "kernels/base/network.h"
#include "kernels/base/status.h"

namespace bitpilot {

struct EvaluateFlags {
  std::string model;
  std::string weights;
  std::string data = "sample";
  std::string bits;
  std::string calibration;
  BoardChoice board;  // neither device nor fleet: no board
  bool has_board() const { return !board.device.empty() || !board.fleet.empty(); }
  std::string meter;
  std::string export_file;
  std::string compare;
  std::string versus;
  bool audit = false;
  bool energy = false;
  bool integer = false;
  bool json = false;
};

// Registers the command with its flags, which `flags` takes and must outlive. It has no callback.
CLI::App* AddEvaluateFlags(CLI::App& app, EvaluateFlags& flags);

// What the flags and the small files that they name hold.
struct EvaluateInputs {
  ModelDefinition definition;
  std::optional<BitAssignment> assignment;  // of --bits
  // Of --versus, widths of the same network or a network file.
  std::optional<BitAssignment> versus_assignment;
  std::optional<Network> versus_network;
  nlohmann::json earlier;  // of --compare
  std::string weights;     // the file
};

// Flags first, then small files, then whether large ones are there.
//
// pipes: what it leaves is missing in the result.
//
// Errors: of the first of these that is wrong; names the flag.
Result<EvaluateInputs> CheckEvaluate(const EvaluateFlags& flags, Pipes pipes);

}  // namespace bitpilot
