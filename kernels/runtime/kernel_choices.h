// KernelChoices: which kernel was fastest for which layer, on which kind of CPU core.
//
// The same widths have different winners on different CPUs of one instruction set (on AVX-512 VNNI,
// binary decomposition of 2 x 2 bits beats 8 bit on Zen 5 and loses on Granite Rapids), so a plan
// is timed where it runs. Remembered choices keep plans equal: every candidate of a search, and
// every run after a restart, uses the same kernel for the same layer.
//
// A choice by a small margin may be wrong. It is timed again, once, when the next lease of the
// board first needs it, before anything is measured with it; the kernel in force is kept unless
// another one is clearly faster. Within a lease no choice changes.
//
// Boards of one class run by the choices of one of them, which the agent passes on (Adopt()): they count
// as settled, go before what was timed here, and are not kept with it.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "kernels/base/status.h"

namespace bitpilot {

// Name of their file, in the folder of a board's store that its worker may write to.
inline constexpr char kKernelChoicesFile[] = "kernel_choices";
inline constexpr char kWorkerFolder[] = "worker";

struct KernelChoice {
  std::string kernel;
  double margin = 0.0;       // how much longer the next one takes (FastestCandidate::margin)
  std::string lease;         // in which it was timed
  bool is_of_class = false;  // of Adopt()
};

// Not thread-safe.
class KernelChoices {
 public:
  // The next kernel takes so much longer, as a fraction, where a choice needs no second look.
  static constexpr double kSureMargin = 0.05;

  // core: the kind of core that runs the kernels; choices of one kind say nothing about another.
  explicit KernelChoices(std::string_view core = "");

  // Who measures from now on: any text, another one for every lease of every daemon.
  //
  // REQUIRES: no tab and no line break in it.
  void BeginLease(std::string_view lease) { lease_ = lease; }

  // Hears of every round while a layer is being timed, as a sign of life.
  void OnTiming(std::function<void()> tick) { tick_ = std::move(tick); }
  const std::function<void()>& tick() const { return tick_; }

  // The choice for a layer (kernels/runtime/conv_tuner.h, ConvLayerKey()); null if there is none.
  const KernelChoice* Find(std::string_view layer) const;
  // Whether this lease may use the choice as it is: timed in it, or by a sure margin.
  bool IsSettled(const KernelChoice& choice) const {
    return choice.is_of_class || choice.margin >= kSureMargin || choice.lease == lease_;
  }
  // What timing found in this lease.
  //
  // REQUIRES: neither text is empty; no tab and no line break in them; a finite margin.
  void Remember(std::string_view layer, std::string_view kernel, double margin);

  // Notes that a plan runs by the layer's choice. REQUIRES: there is one.
  void Use(std::string_view layer);
  void ForgetUses() { used_.clear(); }
  // Twelve hexadecimal digits of a SHA-256 over the layers used since ForgetUses() and their
  // kernels; empty if none was. Networks measured twice with the same hash ran by the same kernels.
  std::string HashOfUsed() const;

  // From now on plans run by what this ToText() holds for this kind of core, wherever that can run; by what
  // is timed here elsewhere. Of an empty text, and of one that cannot be read or was made by another build
  // of the kernels: by what is timed here alone.
  void Adopt(std::string_view text);

  std::size_t size() const { return choices_.size(); }
  // Calls of Remember(): whoever keeps them on a disk sees by it that they changed.
  std::size_t num_timed() const { return num_timed_; }

  // Text for a file: the kernels' build, then a line for every core and layer.
  std::string ToText() const;
  // The same with what was used since ForgetUses() alone; empty if nothing was.
  std::string UsedToText() const;

  // With the choices of all cores; those of `core` will be found.
  //
  // Errors:
  //   kVersionMismatch  made by another build of the kernels, or in another format.
  //   kDataCorrupt      no such text.
  static Result<KernelChoices> Parse(std::string_view text, std::string_view core);

 private:
  std::string core_;
  std::string lease_;
  std::function<void()> tick_ = [] {};
  std::map<std::pair<std::string, std::string>, KernelChoice> choices_;  // [core, layer]
  std::string adopted_text_;
  std::map<std::string, KernelChoice, std::less<>> adopted_;  // by layer, of core_
  std::set<std::string, std::less<>> used_;
  std::size_t num_timed_ = 0;
};

}  // namespace bitpilot
