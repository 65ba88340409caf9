// Board baseline: what a board is like at its best since it booted, as v1::BoardBaseline (proto).
// It outlives the process that saw it (server/baseline_keeper.h), since the next one may begin on a
// board that is hot and slow, and must not take that for normal.
#pragma once

#include "kernels/base/status.h"
#include "proto/bitpilot.pb.h"

namespace bitpilot {

// Whether `baseline` tells what a board can be like. The worker's memory is not to be trusted.
//
// Errors: kDataCorrupt for a time of the canary not in [5 us, 1000 s], a scatter not in [0, 1) or
// without a time, a temperature not in [-100, 200].
Status CheckBaseline(const v1::BoardBaseline& baseline);

// Whether a board of `baseline` can have become what `seen` tells: frequency and heat make a CPU
// five times as fast at most.
//
// Errors: kDataCorrupt, with both times.
Status CheckImprovement(const v1::BoardBaseline& seen, const v1::BoardBaseline& baseline);

// Takes over what `seen` knows to be better; whether that is worth telling: a value that was not
// known, half a degree, or half a percent.
bool ImproveBaseline(const v1::BoardBaseline& seen, v1::BoardBaseline& baseline);

}  // namespace bitpilot
