// Sizes of the tables of sums that elementwise kernels build and convolutions look up (elementwise.h).
#pragma once

namespace bitpilot {

// Of the sums of all subsets of 4 codes.
inline constexpr int kTableBytes = 16;

// Of the sums of 16 channels of a pixel, 4 by 4, with all signs.
inline constexpr int kSignTableBytes = 64;
inline constexpr int kSignTableChannels = 16;

}  // namespace bitpilot
