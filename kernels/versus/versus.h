// A against B: the protocol that `bitpilot evaluate --versus` and `bitpilotd bench --versus` share.
//
//   1. Two copies of A, in kVersusBlocks blocks of interleaved rounds.
//   2. A and B, likewise.
//   3. The verdict on B, if the copies were not told apart (kernels/versus/paired_blocks.h).
//
// Every block compiles its networks anew, and in every other block the second one goes first: what a
// place in memory or in the order is worth counts for both alike.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "kernels/base/status.h"
#include "kernels/base/topology.h"
#include "kernels/versus/paired_blocks.h"

namespace bitpilot {

// Even, so that both orders count alike, and with three of each, so that blocks show how much they
// differ.
inline constexpr int kVersusBlocks = 6;

// Rounds of a block are those of an AUDIT; with --audit its windows are doubled so many times
// (MeasureSpec::window_doublings).
inline constexpr int kVersusAuditDoublings = 2;

// A block that is NOISY is measured again, so that it is measured so many times at most; all blocks of
// two copies together, and all of A and B, at most kVersusRepeats times: on a machine that stays
// disturbed, little comes of repeats.
inline constexpr int kVersusTries = 3;
inline constexpr int kVersusRepeats = 3;

// What is measured next.
struct VersusTurn {
  bool same = false;  // a copy of A and another one; else A and B
  int block = 0;      // 0..kVersusBlocks - 1
  int max_tries = 1;  // how often it may be measured until it is not NOISY; the last one counts
  bool second_first() const { return block % 2 == 1; }
};

// One block, as measured. `first` is A in both kinds, whichever ran first.
struct VersusBlock {
  PairedBlock times_ns;  // of an inference, those to compare (TimesToCompare())
  PairedBlock wall_ns;
  PairedBlock energy_uj;         // gross, of an inference; empty if none was measured
  std::string energy_source;     // that measured them; empty without
  std::string no_energy_reason;  // where it was to measure energy and could not
  std::string disturbance;       // why the block is NOISY; else empty
  int tried = 1;                 // how often it was measured
};

struct VersusBlocks {
  std::vector<VersusBlock> same;
  std::vector<VersusBlock> different;
};

// Networks may differ in all but what they are for: these take the same images and give as many
// classes.
//
// Errors: kInvalidArgument; says what each takes and gives.
Status CheckOneTask(const Topology& a, const Topology& b);

// Measures all blocks. on_same hears of those of two copies before any with B is measured.
//
// Errors: those of `measure`.
Result<VersusBlocks> MeasureVersus(
    const std::function<Result<VersusBlock>(const VersusTurn&)>& measure,
    const std::function<void(const std::vector<VersusBlock>&)>& on_same);

// A block that was measured in the order of its turn, with A first.
VersusBlock WithAFirst(VersusBlock block, const VersusTurn& turn);

PairVerdict CompareTimes(const std::vector<VersusBlock>& blocks);
VersusVerdict JudgeTimes(const VersusBlocks& blocks);

// By gross energy, from the blocks that measured it.
//
// Errors: kUnavailable if less than two blocks of a kind did, with a block's reason, or if they had
// different sources.
Result<VersusVerdict> JudgeEnergies(const VersusBlocks& blocks);

// Medians of all windows' wall times of an inference.
struct VersusLatencies {
  double a_ns = 0.0;
  double b_ns = 0.0;
};

// Of blocks of A and B.
VersusLatencies LatenciesOf(const std::vector<VersusBlock>& different);

// Exit codes of both programs beside 0 (A is faster, or no difference was seen), 1 and 2.
inline constexpr int kExitSlower = 3;
inline constexpr int kExitNoVerdict = 4;

// By latency: whether A may take B's place.
int VersusExitCode(const VersusVerdict& times);

// How many of all blocks stayed NOISY, with the last one's reason: "3 of 12 blocks stayed NOISY, the
// last: <reason>"; empty if none did.
std::string DescribeDisturbances(const VersusBlocks& blocks);

}  // namespace bitpilot
