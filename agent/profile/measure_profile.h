// Measures the jobs of a profile's plan on a board; resumable.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "agent/fleet/board.h"
#include "agent/profile/profile_data.h"
#include "agent/profile/profile_plan.h"
#include "kernels/base/status.h"
#include "kernels/base/topology.h"

namespace bitpilot {

struct ProfileOptions {
  std::string unfinished_path;  // what is measured is saved there after every job; empty: nowhere
  // Board time to spend, in this call and those before it that the unfinished file holds. A job that
  // would probably exceed it is not begun; the first one always is.
  std::optional<double> max_board_seconds = std::nullopt;
  // Set where the unfinished file is a cache: told of one that cannot be used, which is measured
  // anew, and of one that cannot be written, which ends nothing.
  std::function<void(const Status&)> cache_trouble;
  std::function<bool()> stop;  // polled: true ends the profile
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
//   Those of CheckContinues(), and of a file that cannot be read or written, unless it is a cache.
Result<ProfileData> MeasureProfile(const Topology& topology, const ProfileSettings& settings,
                                   const ProfilePlan& plan, Board& board,
                                   const ProfileOptions& options);

}  // namespace bitpilot
