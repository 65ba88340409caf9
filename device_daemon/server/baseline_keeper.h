// The daemon's memory of what this board is like at its best since it booted: on its disk, so that
// it outlives every worker and a restart of the daemon, and no longer than the board's boot.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "kernels/base/status.h"
#include "proto/bitpilot.pb.h"

namespace bitpilot {

// What a baseline belongs to: this boot of the system below `root` (usually "/"), and all of
// `device` that is not different from one start of the daemon to the next. Nothing where the system
// does not tell its boot: then no file can be trusted.
std::optional<std::string> BaselineKey(const std::filesystem::path& root,
                                       const v1::DeviceCapabilities& device);

class BaselineKeeper {
 public:
  // Reads the file in `store_folder`. A file of another key, and one that is damaged, is as good as
  // none: the board is then looked at anew. Without a key nothing is read or written.
  BaselineKeeper(const std::string& store_folder, std::optional<std::string> key);

  const v1::BoardBaseline& baseline() const { return baseline_; }

  // Takes over what a worker saw, and keeps it if it is worth that (ImproveBaseline()).
  //
  // Errors: as CheckBaseline() and CheckImprovement(), and nothing is taken over; as WriteFileAtomically(), and it is known
  // until the daemon ends.
  Status Learn(const v1::BoardBaseline& seen);

 private:
  std::string path_;
  std::optional<std::string> key_;
  v1::BoardBaseline baseline_;
};

}  // namespace bitpilot
