// ProfileData: the raw measurements of a profile, as its unfinished file keeps them.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "agent/fleet/board.h"
#include "agent/profile/profile_plan.h"
#include "kernels/base/bit_assignment.h"
#include "kernels/base/status.h"

namespace bitpilot {

// One network in one measurement.
struct ProfileSample {
  double latency_ns = 0.0;  // wall time of one inference, the median of the windows' means
  double cpu_ns = 0.0;      // the same of thread CPU times
  double ratio = 0.0;       // of CPU times to uniform 8 bit, in interleaved rounds; its interval
  double ratio_low = 0.0;
  double ratio_high = 0.0;
  std::vector<double> operation_ns;  // [num_operations], as the board timed them one by one
  std::vector<std::string> kernels;  // [num_operations]
};

// One job of the plan, measured.
struct ProfileJobResult {
  bool noisy = false;
  double board_seconds = 0.0;          // that the board needed for it
  ProfileSample uniform8;              // ratio 1
  std::vector<ProfileSample> samples;  // parallel to the job's assignments
};

struct ProfileData {
  ProfileSettings settings;
  BoardInfo board;                        // when the profile began
  std::string source;                     // "measured", or "MODEL:<table name>"
  std::vector<ProfileJobResult> results;  // of the plan's first jobs
  std::size_t kept = 0;  // of them, those that an earlier call had measured; not in the file

  double board_seconds(std::size_t first = 0) const;  // of the results from there on
};

// With a checksum of its own.
nlohmann::json ToJson(const ProfileData& data);

// Errors: kDataCorrupt says what is wrong.
Result<ProfileData> ProfileDataFromJson(const nlohmann::json& json);

// Whether a profile that began with `data` may go on with these settings on this board.
//
// path: of the unfinished file, for messages.
//
// Errors:
//   kVersionMismatch  another CPU, instruction set, backend, kernel build or daemon build: times of
//                     both cannot be in one table. The message names both and what to do.
//   kInvalidArgument  other settings.
Status CheckContinues(const ProfileData& data, const ProfileSettings& settings,
                      const BoardInfo& board, const std::string& path);

}  // namespace bitpilot
