// Board: one device daemon, as the agent sees it. ZeroMQ and Protobuf stay behind this header.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/fleet/board_conditions.h"
#include "agent/fleet/energy_reading.h"
#include "kernels/base/network.h"
#include "kernels/base/status.h"

namespace bitpilot {

// A board that connects to its agent tries again within so long, or sooner (kLongestPause and
// kAttemptLimit, device_daemon/server/outward_link.h): nobody knows before that it does not come.
inline constexpr std::chrono::milliseconds kConnectingPatience{45'000};

// Where a board is and whom to trust there.
struct BoardAddress {
  std::string name;  // for people and studies
  // "tcp://192.0.2.7:7777"; of a board that connects to its agent, where this agent listens for it.
  std::string endpoint;
  std::string public_key;              // the daemon's CURVE key, Z85
  std::string listed_at;               // "fleet.toml:4", for messages; empty if no file lists it
  std::vector<std::string> tags = {};  // the classes that it belongs to
  std::string power_cycle = {};        // a command that switches it off and on; empty: none
  bool connects = false;               // `bitpilotd serve --connect`, as from behind a NAT
};

// The agent's own CURVE key pair, Z85.
struct AgentKeys {
  std::string public_key;
  std::string secret_key;
};

enum class LeaseKind : std::uint8_t {
  kReservation,  // the board is this agent's alone until it gives it back
  kPerJob,       // other agents' jobs and this one's take turns
};

// How an agent takes a board that others use, too. An older bitpilotd knows reservations only, of no
// priority.
struct LeaseTerms {
  LeaseKind kind = LeaseKind::kReservation;
  int priority = 0;  // among the agents of a board, -9 to 9: the higher one goes first
};
inline constexpr int kMaxLeasePriority = 9;

enum class Tier : std::uint8_t { kScreen = 1, kStandard = 2, kAudit = 3 };

// Values as on the wire (proto/bitpilot.proto, MeasureStatus).
enum class MeasureStatus : std::uint8_t {
  kOk = 1,
  kNoisy = 2,
  kWrongOutput = 3,
  kUnsupported = 4,
  kOutOfMemory = 5,
  kCrash = 6,
  kTimedOut = 7,
  kThermalAbort = 8,
  kPowerAbort = 9,
  kLost = 10,
  kCancelled = 11,
  kRejected = 12,
  kProtocolError = 13,
};
std::string_view ToString(MeasureStatus status);
inline bool HasNumbers(MeasureStatus status) {
  return status == MeasureStatus::kOk || status == MeasureStatus::kNoisy;
}

// What one measurement may ask of a board.
struct BoardLimits {
  int max_networks = 64;
  std::uint64_t store_bytes = 0;          // of network files; 0: not said
  std::uint64_t worker_memory_bytes = 0;  // of the process that measures; 0: not said
};

// What identifies a board's class and build; comparisons check it.
struct BoardInfo {
  std::string name;
  std::string cpu_model;
  std::string isa;
  std::string daemon_build;
  std::string kernel_build;
  std::string backend;       // "kernels", or "model:<table name>"
  std::string model_source;  // of a model backend
  std::string os;
  std::string architecture;
  std::string governor;  // of the core that measures
  std::string core;      // its kind: "implementer 0x41 part 0xd0b, capacity 1024, CPUs 4-7"; empty
                         // of a model, and of an older daemon
  std::optional<int> cpu;  // its number
  int cpu_count = 0;
  bool shares_agent_host = false;  // runs on the machine that trains: other load is expected
  BoardEnergy energy;
  BoardLimits limits;  // which comparisons ignore
  bool is_model() const { return backend != "kernels"; }
};

struct NetworkMeasurement {
  double latency_median_ns = 0.0;
  double latency_low_ns = 0.0;
  double latency_high_ns = 0.0;
  double confidence = 0.0;
  std::vector<double> window_ns;
  std::vector<double> window_cpu_ns;
  int inferences_per_window = 0;
  double drift = 0.0;
  std::vector<double> operation_ns;  // [num_operations] if asked for, else empty
  std::vector<std::string> kernels;  // [num_operations]
  std::optional<double> model_energy;
  std::string model_energy_unit;
  std::optional<double> model_energy_error;  // relative, 95 %; only of a fitted model
  // If the job asked for it, a reading or the reason why there is none.
  std::optional<EnergyReading> energy;
  std::string no_energy_reason;
};

struct Measurement {
  MeasureStatus status = MeasureStatus::kLost;
  std::string detail;
  std::string source;                        // "measured", or "MODEL:<table name>"
  std::vector<NetworkMeasurement> networks;  // parallel to the job; empty unless HasNumbers(status)
  double duration_ms = 0.0;                  // device time of the whole request
  std::uint64_t involuntary_context_switches = 0;
  std::optional<double> load_average;
  BoardConditions conditions;
  // Of the timed choices of kernels that its networks ran by (kernels/runtime/kernel_choices.h, ToText());
  // empty: none, or an older bitpilotd.
  std::string kernel_choices;
  // By which its board knows it, 16 bytes, and which attempt it was (agent/fleet/fleet_events.h,
  // AttemptId()); empty of a board that is no daemon's.
  std::string measure_id;
  int attempt = 0;
};

// One request to measure: one network, or several in interleaved rounds.
struct MeasureJob {
  std::vector<const Network*> networks;  // borrowed until the job ends
  Tier tier = Tier::kStandard;
  bool per_operation = false;
  bool extended = false;  // of an AUDIT: 100 rounds of 100 ms, for figures that are published
  // After the latencies also measure energy, in a phase of its own: seconds a network and more,
  // by the source's window rule.
  bool energy = false;
  // Of what is measured again because it was NOISY: every window twice as long, so many times, at
  // most 2. A board whose daemon does not announce that it can (HelloAck::protocol_minor) is asked
  // for windows of the tier.
  int window_doublings = 0;
  // What the caller, who stores the answer, calls it: unique for ever. Its board keeps the answer until
  // Board::Recorded(), for a day at most, and gives it to whoever asks for the same under this name,
  // another process of this agent, too: nothing is measured twice because a process ended. Empty: the
  // board may forget the answer as soon as it was received.
  std::string name = {};
};

class Board {
 public:
  // Ends what is under way and gives the lease back.
  virtual ~Board() = default;

  // As of the last answer: a board that is started again may have another governor or build.
  virtual const BoardInfo& info() const = 0;

  // What the user calls it: its name in the fleet file. info() has what its daemon calls it, which is
  // its host name.
  virtual std::string listed_name() const { return info().name; }

  // Logits [images][classes] of `images` (each [C, H, W] bytes, back to back).
  //
  // Errors:
  //   kInvalidArgument  ValidateNetwork's message, or images of another size.
  //   kUnavailable      the board is gone for good, after reconnects.
  //   kAborted          the caller stopped.
  //   Any code the daemon answered with, unchanged.
  virtual Result<std::vector<std::vector<float>>> Infer(const Network& network,
                                                        std::span<const std::uint8_t> images) = 0;

  // Uploads what the board lacks, measures, and waits. A failure of the candidate is a Measurement
  // with that status: CRASH, OUT_OF_MEMORY, TIMED_OUT, UNSUPPORTED, REJECTED or WRONG_OUTPUT, after
  // the retries of agent/fleet/measure_retries.h.
  //
  // Errors:
  //   kUnavailable  the board is gone, lost the measurement again and again, or did not become fit
  //                 to measure. That says nothing about the candidate: measure it later.
  //   kAborted      the caller stopped.
  virtual Result<Measurement> Measure(const MeasureJob& job) = 0;

  // The same without waiting: the board works while the caller trains. One job at a time may be
  // started ahead; the golden output of each network is computed before this returns. Other calls
  // wait behind it.
  //
  // REQUIRES: of FinishMeasure: a job was started.
  virtual Status StartMeasure(const MeasureJob& job) = 0;
  virtual Result<Measurement> FinishMeasure() = 0;

  // Of a job with a name: its answer is where it cannot get lost any more, or will never be wanted.
  //
  // measure_id: Measurement::measure_id.
  virtual void Recorded(const std::string& measure_id) { static_cast<void>(measure_id); }
};

struct BoardOptions {
  std::chrono::milliseconds connect_timeout{5000};
  // How long a board that was lost may stay away before its work fails with kUnavailable.
  std::chrono::milliseconds reconnect_timeout{60'000};
  // How long to wait at first for a lease that another agent holds; 0 = fail at once. A killed
  // agent's lease ends by itself after 30 s.
  std::chrono::milliseconds lease_wait{0};
  LeaseTerms lease = {};
  std::function<bool()> stop;  // polled while waiting: true ends the wait with kAborted
  // Told, by the thread that waits, of a board that has been away for three seconds, or is leased
  // to another agent for so long: its name, why, and how long the wait may last; and when it is
  // back.
  std::function<void(const std::string&)> notice;
  // StartLocalBoard() only: command of a program that reads an external meter
  // (device_daemon/energy/meter_program.h documents the lines that it speaks). Empty: none.
  std::string meter;
  // StartLocalBoard() only: which CPU measures: a number, "big" or "little"
  // (device_daemon/measurement/cpu_core.h). Empty: the last one of the strongest kind.
  std::string cpu;
  // StartLocalBoard() only: a model board answers at once, not in the time that it claims.
  bool fast = false;
};

// Connects, authenticates, says Hello and takes the lease.
//
// Errors:
//   kInvalidArgument   the endpoint or a key cannot be read.
//   kPermissionDenied  the daemon refused our key, or is not who public_key says.
//   kUnavailable       another agent holds the lease (the message names it), or nobody answers.
//   kVersionMismatch   protocol versions do not overlap.
//   kAborted           options.stop returned true.
Result<std::unique_ptr<Board>> ConnectBoard(const BoardAddress& address, const AgentKeys& keys,
                                            const BoardOptions& options);

}  // namespace bitpilot
