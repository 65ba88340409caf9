// Sizes that packed weights of convolutions have, for whoever packs and for the kernels that read. The layouts themselves are described where they are packed: kernels/conv/format_*.cc.
#pragma once

#include "kernels/elementwise/table_sizes.h"

namespace bitpilot {

inline constexpr int kStepBytes = 64;  // Packed weights of one step of one block.

// Of AMX: steps of a tile.
inline constexpr int kTileSteps = 16;

// Of planes of signs: words that go together.
inline constexpr int kTripleSteps = 3;

// Of packed codes for one output pixel: blocks whose steps stand side by side.
inline constexpr int kDenseGroupBlocks = 8;

}  // namespace bitpilot
