// Board watch: what surrounds the windows of a measurement on a real board. Before: the gate, the
// canary, the conditions. After: the conditions again, and whether others used the CPU.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "device_daemon/energy/board_state.h"
#include "device_daemon/measurement/canary.h"
#include "device_daemon/measurement/clock_rate.h"
#include "device_daemon/measurement/latency_sampler.h"
#include "device_daemon/measurement/state_gate.h"
#include "proto/bitpilot.pb.h"

namespace bitpilot {

struct BoardWatchOptions {
  std::filesystem::path root = "/";  // below which sys/ and proc/ are read
  int cpu = -1;  // that measures, whose governor and frequency count; -1: all of them
  // The daemon runs on the machine that trains. Other load, heat and the frequencies that they
  // cause are expected there, so they are noted and not judged: what they do to the windows is
  // (disturbance.h). On a board of its own more than kMaxOtherLoad or kMaxFrequencyChange makes a
  // measurement NOISY, and so does a canary that is slower than at its best since the board booted,
  // or faster than when the lease began.
  bool shares_agent_host = false;
  std::function<void()> pause;   // lets a second pass
  std::function<void()> canary;  // CanaryInference()
  // The clock of the CPU that measures, now (clock_rate.h); may be empty. On a board of its own one
  // that is far below what cpufreq claims makes a measurement NOISY.
  ClockWatch::ReadMhz clock_mhz;
  // Hears, outside of timed windows, when the board was seen at a new best; may be empty.
  std::function<void(const v1::BoardBaseline&)> on_baseline;
};

class BoardWatch {
 public:
  static constexpr double kMaxOtherLoad = 0.05;        // CPUs
  static constexpr double kMaxFrequencyChange = 0.05;  // highest over lowest, minus 1
  static constexpr int kMaxCanaryPauses = 10;

  explicit BoardWatch(BoardWatchOptions options);
  BoardWatch(const BoardWatch&) = delete;
  BoardWatch& operator=(const BoardWatch&) = delete;

  // What the board was like at its best since it booted, as earlier watches saw it: it may be hot
  // and slow now. REQUIRES: CheckBaseline() is OK.
  void Learn(const v1::BoardBaseline& baseline);

  // Whose measurements follow: a new lease gets a canary of its own.
  void set_lease_epoch(std::uint64_t epoch) { lease_epoch_ = epoch; }

  // Waits at the gate, looks at the canary and records what the board is like. If the verdict is
  // not OK nothing may be timed. A board of its own that is slower than at its best since it booted
  // gets kMaxCanaryPauses to recover, once: if that is in vain it is measured as it is.
  GateVerdict Begin(MeasureClock& clock, const std::function<void()>& tick,
                    v1::Conditions& conditions);

  // Between two rounds: notes the frequency, which may change and come back, and times the canary
  // if that was 30 s ago.
  void Look(MeasureClock& clock);

  // Records the board's state behind the last window, and in words what speaks against it. Returns
  // why the measurement counts as disturbed, or an empty string.
  //
  // REQUIRES: Begin() was called before.
  std::string End(MeasureClock& clock, v1::Conditions& conditions);

  // A measurement ended so short a while ago that caches and frequency need little warm-up.
  bool is_warm(MeasureClock& clock) const;

 private:
  // Time that CPUs were busy since the system started, and what of it was ours.
  struct CpuUse {
    double busy_s = 0.0;
    double own_s = 0.0;
    double wall_s = 0.0;
  };
  std::optional<CpuUse> ReadCpuUse(MeasureClock& clock) const;
  std::optional<double> OtherLoad(const CpuUse& end) const;
  // Looks at the canary and, where that may help, waits. Returns how often it waited.
  int AwaitSpeed(MeasureClock& clock, const std::function<void()>& tick);
  void NoteCanary();
  // Beside every look of the canary, which wakes the CPU up.
  void LookAtClock();
  std::optional<double> ClaimedMhz() const;
  void TellBaseline();
  // Whether it is, or may be, the CPU that measures.
  bool Counts(const CpuFrequency& cpu) const;
  // Widens khz_ by the frequencies of the CPUs that count.
  void NoteFrequencies(const BoardState& state);
  // How the CPU's speed changed; empty if it did not.
  std::string DescribeCanary() const;
  // Why the board's other work, its frequency or its speed disturbed a measurement; empty if none
  // did.
  std::string FindDisturbance(const v1::Conditions& conditions) const;
  void AddNotes(const BoardState& end, v1::Conditions& conditions) const;

  BoardWatchOptions options_;
  StateGate gate_;
  Canary canary_;
  ClockWatch clock_watch_;
  std::int64_t clock_looked_ns_ = -1;  // Canary::looked_ns() then
  double slowest_canary_ns_ = 0.0;     // since Begin()
  double fastest_canary_ns_ = 0.0;
  v1::BoardBaseline told_;       // what was told of the board at its best
  bool waited_in_vain_ = false;  // for its best speed
  bool lease_is_slow_ = false;   // it began so, and nothing was measured at another speed
  std::uint64_t lease_epoch_ = 0;
  BoardState start_state_;
  double start_celsius_ = 0.0;
  std::optional<CpuUse> start_use_;
  std::optional<std::pair<std::int64_t, std::int64_t>> khz_;  // lowest and highest since Begin()
  std::optional<std::int64_t> ended_ns_;
};

}  // namespace bitpilot
