// GoldenLogits: what a network must give for an image. Boards have to give the same, bit for bit,
// before they are timed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kernels/base/network.h"
#include "kernels/base/status.h"
#include "kernels/cpu/isa.h"

namespace bitpilot {

// The reference (kernels/reference.h) defines them. Kernels of this machine, of another level than
// the board's, take less than half of its time (ResNet-20 on a core of an AMD EPYC, Zen 3: 9 ms with
// packing instead of 20 ms), and each network is computed once.
//
// What that guarantees:
//   - Convolutions, depthwise and fully connected layers are computed by none of the board's kernels:
//     by the portable ones for a board with vector instructions, and by this CPU's best vector ones
//     for a board that runs the portable ones. Where this CPU has none, or the board's instruction set
//     is not known, by the reference. A fault of one of the board's kernels is seen at every network
//     that shows it.
//   - What all levels share (the packing and planning of kernels/runtime, additions, subsampling) is
//     only seen by the spot check: the first network of this object that kernels compute, and every
//     sixteenth by its hash, so that the same ones are checked in every run, is compared with the
//     reference. If they differ, a notice says so, what kernels computed is forgotten, and everything
//     is the reference's from then on. Until the check hits, measurements of other networks that have
//     the fault too may count as right.
//   - What is kept is found by the SHA-256 of network file and image, for as long as this object
//     lives, and never stored: to compute it again takes milliseconds, and a file would have to be
//     trusted.
//
// Not thread-safe. Computes on the caller's thread, which must not be the one that drives boards.
class GoldenLogits {
 public:
  // One in so many networks that kernels compute is compared with the reference.
  static constexpr int kSpotCheckEvery = 16;
  // More are forgotten, all of them.
  static constexpr std::size_t kMostKept = 4096;

  using Notice = std::function<void(const std::string&)>;
  struct Means {
    std::function<Result<std::vector<float>>(const Network&, std::span<const std::uint8_t>, Isa)>
        kernels;
    std::function<std::vector<float>(const Network&, std::span<const std::uint8_t>)> reference;

    static Means OfThisMachine();  // CompiledNetwork, RunReference()
  };

  // notice: may be empty.
  explicit GoldenLogits(Notice notice = {}, Means means = Means::OfThisMachine());

  // file_sha256: of the network's file. image: [C, H, W] unsigned bytes. board_isa: BoardInfo::isa;
  // empty: not known. Returns logits, [num_classes].
  //
  // REQUIRES: ValidateNetwork(network).ok(); image.size() == network.input_bytes().
  std::vector<float> Of(const Network& network, const std::string& file_sha256,
                        std::span<const std::uint8_t> image, const std::string& board_isa);

  // The level of this CPU whose kernels compute for a board; nothing: the reference does.
  static std::optional<Isa> LevelFor(const std::string& board_isa);

 private:
  std::vector<float> Compute(const Network& network, const std::string& hash,
                             std::span<const std::uint8_t> image, std::optional<Isa> level);

  const Notice notice_;
  const Means means_;
  std::map<std::string, std::vector<float>> kept_;  // by level and hash
  bool has_checked_ = false;                        // the first one
  bool trusts_kernels_ = true;
};

}  // namespace bitpilot
