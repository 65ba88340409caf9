// What a search asks of the board that answers: whether it is the one that the study began with, and
// whether this machine can do more than it.
#pragma once

#include "agent/fleet/board.h"
#include "agent/study/events.h"
#include "agent/study/search_config.h"
#include "kernels/base/status.h"

namespace bitpilot {

// A resumed search must go on with the kernels, the CPU and, if it searches energy, the energy source that
// it began with. A core that an older bitpilot did not log may be any.
//
// Errors: kVersionMismatch names what differs, as it was and as it is.
Status CheckSameBoard(const BoardInfo& logged, const BoardInfo& board, bool searches_energy);

// True if the search's board is this machine, restricted to an instruction set: its finalists are measured
// on the whole machine, too, unless that is the same.
bool IsRestrictedLocal(const SearchConfig& config);

// True if the restriction of a local board leaves out nothing that this CPU has: the whole machine would
// run the same kernels.
bool HasFullIsa(const BoardInfo& board);

}  // namespace bitpilot
