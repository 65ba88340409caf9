// Measures the jobs of a profile's plan on a board; resumable.
#pragma once

#include <functional>
#include <string>

#include "agent/fleet/board.h"
#include "agent/profile/profile_data.h"
#include "agent/profile/profile_plan.h"
#include "kernels/base/status.h"
#include "kernels/base/topology.h"

namespace bitpilot {

struct ProfileOptions {
  std::string unfinished_path;  // what is measured is saved there after every job
  std::function<bool()> stop;   // polled: true ends the profile
  // Networks measured so far, of all; `note` says how the last measurement went.
  std::function<void(int done, int total, const std::string& note)> progress;
};

// Measures what the unfinished file lacks, with random weights (integer kernels take the same time
// for all data), each job in interleaved rounds with the 8-bit network, with the time of every
// operation. A job that gives no numbers is tried three times. The file stays where it is.
//
// Errors:
//   kAborted        options.stop; what was measured is saved, and the next call goes on there.
//   kUnavailable    a job gave no numbers, or the board is gone.
//   kUnsupported    the board does not run such a network.
//   Those of CheckContinues(), and of a file that cannot be read or written.
Result<ProfileData> MeasureProfile(const Topology& topology, const ProfileSettings& settings,
                                   const ProfilePlan& plan, Board& board,
                                   const ProfileOptions& options);

}  // namespace bitpilot
