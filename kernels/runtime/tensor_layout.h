// Where each stored tensor lies in the activation arena, and how.
//
// A tensor is [H, W, C] bytes, C rounded up to 4 (but for an image of 3 channels that only a wide
// filter reads), with a halo of zero-point codes around the image as wide as its widest consumer's
// padding. Operations write the image only, the halo is filled before: so convolutions need no
// border code.
//
// Tensors of equal geometry (shape, halo, zero point) share a buffer when their lifetimes do not
// overlap: the halo of the one is the halo of the other, and the working set of a residual network
// stays in the first cache levels. Buffers whose tensors do not live at the same time share memory:
// then a run fills the halo of the buffer again before its first tensor is written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/base/network.h"
#include "kernels/cpu/aligned_buffer.h"

namespace bitpilot {

// Bytes before and behind every tensor that kernels may read, though never use.
inline constexpr std::size_t kTensorSlackBytes = 64;

struct TensorLayout {
  TensorShape shape;
  Padding halo;
  int zero_point = 0;
  std::ptrdiff_t pixel_bytes = 0;  // Channels rounded up to 4, or 3.
  std::ptrdiff_t row_bytes = 0;    // Halo included.
  std::size_t arena_offset = 0;    // Of the first byte, halo included.

  std::size_t total_bytes() const;
  // Arena offset of pixel (0, 0); the window of an output pixel may begin in front of it, in the
  // halo.
  std::size_t origin_offset() const;
};

struct ArenaPlan {
  std::vector<TensorLayout> tensors;  // [num_stored_tensors]
  // Whether RefillHalo() has something to do. [num_stored_tensors]
  std::vector<bool> refills_halo;
  std::size_t total_bytes = 0;
};

// REQUIRES: ValidateNetwork(network).ok().
ArenaPlan PlanArena(const Network& network);

// Sets all that surrounds the image to the zero point.
void FillHalo(const TensorLayout& tensor, std::uint8_t* arena);

// What a run does before `tensor` is written, the network's input or an operation's output: other
// tensors were in its memory. Nothing for the output of the last operation, which is not stored.
void RefillHalo(const ArenaPlan& plan, int tensor, std::uint8_t* arena);

// Allocates the arena and fills every halo.
AlignedBuffer AllocateArena(const ArenaPlan& plan);

}  // namespace bitpilot
