// The rules by which a search writes its log, and their history.
#pragma once

namespace bitpilot {

// By which rules a search writes its log:
//   1  before there were agent events
//   2  a training search logs the checkpoint that it starts from, a policy that begins with them the
//      integer program's answers, the end how the finalists classed the test images; what follows
//      from the log (transitions' ratios, the problem's table, the final table) is recomputed and
//      compared by replays
//   3  several tickets in flight, each from a place that it names; anchored losses; finalists train
//      alike
//   4  a step whose latencies were NOISY is measured again; the error of a difference to the anchor
//      is that of the same images, and policies weigh readings by it; walks price latency and
//      energy by UtilityOf() (policies/reward.h); whether uniform 4 bit is a finalist follows from
//      the problem
//   5  amed and two-stage believe readings by policies/reading_errors.h; weights of 5 to 7 bits are
//      nearer to those of 8 (policies/adaptation.h)
//   6  uniform 8 bit is read on the weights of each trial that trained, and rewards charge what a
//      candidate loses to it and to the twin (policies/reward.h); a search that trains estimates batch
//      norm anew before readings of untrained weights, too; teachers normalize by the mini-batch
//   7  amed and two-stage plan with what they would end with, and keep measurements for it
//      (policies/amed_decision.h); an extension does not pay for board seconds that were overspent
//   8  several boards of a class, and several classes: what a step may be repeated for follows from
//      what was logged of its class before its first measurement, and measurement events say class,
//      board and seconds; several classes have a table and a reference each
//   9  without a budget of latency or energy, amed and two-stage draw targets on rungs close to each
//      other, from the cheapest choice on (policies/target_pool.h); they plan with the better of the two
//      starts of a final training, and amed trains what is left in parts, each at widths of its own; what
//      one of several classes did not measure has no joint figure
//  10  amed and two-stage name their finalists when they stop, and read what they would end with once more
//      on the weights of the place where they stop (policies/amed.h); what training must be worth more is
//      in nats of the targets' losses also where a front is wanted. Predicted answers are no misses in a
//      row and exclude nothing for good, and cost what was measured of them; boards of a class agree only
//      if no network's ratio is more than 2 % off; of "mean", a row without a ratio keeps no budget; behind
//      an end, the conditions of an extension come first. Batch norm of networks that were trained on crops
//      (ResNet-20 to ResNet-56) is estimated on crops; ResNet-8 trains on crops without a black border
// Replays and resumes of older logs need the bitpilot that wrote them.
// Raise it when the rule of something that replays recompute changes.
inline constexpr int kLogVersion = 10;

}  // namespace bitpilot
