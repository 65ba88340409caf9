// The file of this experiment: a header line of what is compared, and a line for each comparison that
// was made; whoever is interrupted goes on where the file ends.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/fleet/board.h"
#include "kernels/base/status.h"
#include "kernels/versus/versus.h"

namespace bitpilot {

// What must be the same in all comparisons of a file.
struct AaSetup {
  std::string machine;  // CPU, instruction set, kernel build
  std::string block;    // of ResNet-20 that is widened, "layer3.1"
  int extra = 0;        // by so many channels
  bool is_long = false;
  // In the file in the end. As it was begun: who saw a bar missed must not go on until it is kept.
  int comparisons = 100;
};

// One comparison of the widened network (A) with ResNet-20 (B).
struct AaComparison {
  bool same_told_apart = false;
  std::string verdict;  // of A: "slower" is right; empty: none, as two copies were told apart
  double same_ratio = 0.0;
  double ratio = 0.0;
  double low = 0.0;
  double high = 0.0;
  std::optional<double> smallest_difference;  // nothing: none could be stated
  int noisy_blocks = 0;
  double seconds = 0.0;
};

std::string MachineOf(const BoardInfo& board);

AaComparison ToComparison(const VersusBlocks& blocks, double seconds);

struct AaRecord {
  AaSetup setup;
  std::vector<AaComparison> comparisons;
};

// Errors: kNotFound if there is no such file; kDataCorrupt for a line that is none, but for a last one
// without its end, which an interruption left: it is taken off the file.
Result<AaRecord> ReadRecord(const std::string& file);

// Begins the file, and adds a comparison to it.
//
// Errors: those of writing.
Status BeginRecord(const std::string& file, const AaSetup& setup);
Status AddToRecord(const std::string& file, const AaComparison& comparison);

}  // namespace bitpilot
