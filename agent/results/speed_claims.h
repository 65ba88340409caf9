// Speed claims: what the interleaved rounds of the final comparison allow to say about which
// network is faster.
#pragma once

#include <vector>

#include "agent/results/interleaved_rows.h"
#include "agent/study/final_event.h"
#include "agent/study/study.h"
#include "kernels/base/window_statistics.h"

namespace bitpilot {

// The ratio's median and exact interval to `reference`, round by round (TimesToCompare()).
//
// REQUIRES: both rows have windows, of the same measurement.
MedianInterval RatioOf(const MeasurementRow& row, const MeasurementRow& reference);

// Fills speed, speed_p_value and as_fast_as of `finals` from the rows of one comparison. Every pair
// that shared rounds is compared by CompareRounds(), and none is called different unless that holds
// for the whole table: in one table of a hundred something wrong is said (Bonferroni). Nothing is
// said of networks of different parts. Rows without numbers and a model's figures, which nothing
// measured, are left as they are.
//
// num_tables: of the search, one a class. Of all of them together, and of the joint one that follows from
// them, something wrong is said in one search of a hundred.
//
// REQUIRES: compared.rows and finals are parallel; num_tables >= 1.
void JudgeSpeeds(const InterleavedRows& compared, int num_tables, std::vector<FinalRow>& finals);

}  // namespace bitpilot
