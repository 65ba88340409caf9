// Rows of one interleaved comparison, in as many parts as the board takes at a time.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "agent/study/study.h"

namespace bitpilot {

// Networks of one part shared their rounds, with uniform 8 bit among them. Those of different parts
// did not: only their ratios to uniform 8 bit of their own part can be set beside each other.
struct InterleavedRows {
  std::vector<MeasurementRow> rows;      // one a network; rows[0] is uniform 8 bit, as in part 0
  std::vector<std::size_t> parts;        // parallel to rows: the part of each
  std::vector<MeasurementRow> uniform8;  // one a part

  // Uniform 8 bit in the rounds of rows[i].
  const MeasurementRow& Uniform8Of(std::size_t i) const { return uniform8[parts[i]]; }

  // A row with the verdict on the whole: of the first part that was NOISY, else of the first.
  const MeasurementRow& Verdict() const {
    const auto noisy =
        std::find_if(uniform8.begin(), uniform8.end(),
                     [](const MeasurementRow& row) { return row.status == "NOISY"; });
    return noisy == uniform8.end() ? uniform8.front() : *noisy;
  }
};

}  // namespace bitpilot
