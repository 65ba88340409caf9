// The flags of `bitpilot profile`, and what can be known of them before anything is measured.
#pragma once

#include <string>
#include <vector>

#include "agent/cli/command.h"
#include "agent/device/board_choice.h"
#include "agent/profile/lut.h"
#include "agent/profile/profile_plan.h"
#include "kernels/base/status.h"
#include "kernels/base/topology.h"

namespace bitpilot {

struct ProfileFlags {
  ProfileSettings settings;
  BoardChoice board;
  std::string bits = "2..8";
  std::string name;
  std::string from;
  std::vector<std::string> exports;
  bool json = false;
};

// Registers the command with its flags, which `flags` takes and must outlive. It has no callback.
CLI::App* AddProfileFlags(CLI::App& app, ProfileFlags& flags);

struct ProfileInputs {
  Topology topology;
  std::vector<int> bits;  // of --bits
  Lut read;               // of --from, if that is given
};

// That no export would replace anything, and that it can be written there.
//
// Errors: as CheckProfile(); names the export.
Status CheckExports(const ProfileFlags& flags);

// Flags first, then small files. Nothing is measured before it is clear that its result can be
// written.
//
// pipes: what it leaves, and the topology that only it names, are missing in the result.
//
// Errors: of the first of these that is wrong; names the flag.
Result<ProfileInputs> CheckProfile(const ProfileFlags& flags, Pipes pipes);

}  // namespace bitpilot
