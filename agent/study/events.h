// Event payloads: the one definition that the search driver writes and replay and report read.
//
// A study's log is a list of (kind, payload). Each struct below is the payload of one kind; its
// members are the JSON object's keys, in the units that the names say. ToJson() and ParseEvent<T>()
// keep every double bit for bit. Payloads hold no clocks, hosts or file paths of this machine, so
// that two studies which decided and observed the same have the same ContentHash(). Kinds, in the
// order in which a search writes them:
//
// - config: the full resolved configuration, any JSON object; Study::Create() writes it as event 1
// - agent: AgentEvent, which bitpilot writes from here on; once a run
// - board: BoardEvent, who measures; written again when a resumed search finds another board
// - calibration: CalibrationEvent (agent/study/calibration_event.h), which boards of a class measure for
//   it; written again, between observations, where boards come
// - problem: ProblemEvent, what may be chosen, the board's cost table, the 8-bit reference
// - answers: AnswersEvent, where the policy may use the integer program's
// - anchor: AnchorEvent, the twin's readings; written again where a search is extended
// - conditions: ConditionsEvent, how many boards there are and what may be spent; written again when
//   that changes
// - proposal, advance, probe, stop: ProposalEvent, AdvanceEvent, ProbeEvent, StopEvent, the policy's
//   actions
// - keeps: KeepsEvent, which places the policy wants kept; where that changes
// - measurement: MeasurementEvent, written by Study::AppendMeasurements() only
// - missing: MissingEvent, that no board of a class could be asked for a trial's measurement
// - place: PlaceEvent, the state that a ticket's training left, saved beside the study
// - transition, advanced, probed: TransitionEvent, AdvancedEvent, ProbedEvent, what the environment
//   answered to an action
// - policy: PolicyEvent, what a resume needs of the policy
// - checkpoint: CheckpointEvent, of log version 2 and below, where it was what a place is now
// - trained: TrainedEvent, the final training of one finalist
// - artifact: ArtifactEvent, written by Study::PutArtifact() only
// - test: TestEvent (agent/study/final_event.h), what reading the test images told
// - final: FinalEvent (there), the table of results, measured again and interleaved
// - end: EndEvent, why the search stopped
//
// Readers skip kinds that they do not know, and take a key that an older bitpilot did not write yet
// (those of energy, hashes of networks) as not set.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/fleet/board.h"
#include "agent/fleet/class_name.h"
#include "agent/study/event_payload.h"
#include "agent/study/log_version.h"
#include "policies/environment.h"
#include "policies/integer_program.h"
#include "policies/search_problem.h"
#include "policies/transition.h"

namespace bitpilot {

struct AgentEvent {
  static constexpr std::string_view kKind = "agent";
  std::string build;   // version, and a hash over the sources that decide
  std::string solver;  // of integer programs, with its version
  // Of the whole log where this is event 2; a log without that has version 1. Later runs keep it.
  int log_version = kLogVersion;
};

struct BoardEvent {
  static constexpr std::string_view kKind = "board";
  BoardInfo board;        // its members are the object's keys
  std::string cpu_class;  // the host's CPU class, as `--resume` compares it
  // The class that the board stands for; one event a class, in the search's order.
  ClassId on = kOnlyClass;
};

// Where a problem's cost table comes from.
enum class TableOrigin : std::uint8_t {
  kUnknown,   // an older bitpilot, which logged the measurements that it is made from
  kMeasured,  // on the board, for this search
  kCached,    // on a board of this class, for an earlier search
  kModel,     // a model board's own
};

// One of several classes: what its boards measured before the search.
struct ClassFacts {
  ClassId on;
  std::string table;  // in its text format
  TableOrigin table_origin = TableOrigin::kUnknown;
  double table_board_seconds = 0.0;
  double uniform8_latency_ns = 0.0;
};

struct ProblemEvent {
  static constexpr std::string_view kKind = "problem";
  std::vector<std::string> layers;   // names, in the order of BitAssignment::weight_bits
  std::vector<std::string> tensors;  // names, in the order of BitAssignment::activation_bits
  std::vector<DecisionVariable> variables;
  std::string table;  // the cost table in its text format: what decisions used
  TableOrigin table_origin = TableOrigin::kUnknown;
  std::string table_sha256;          // of `table`; searches that began with one table have one hash
  double table_board_seconds = 0.0;  // that measuring it took here, beside all budgets
  Reference uniform8;
  double float_accuracy = 0.0;  // the unquantized network, validation, in [0, 1]
  std::string uniform8_sha256;  // of the network that all candidates are compared with
  EnergyObjective energy_objective = EnergyObjective::kNone;
  // Why the final table has no uniform 4 bit: the search's widths or the board's table lack it.
  // Empty: it has.
  std::string no_uniform4;
  // Of a search on several, in its order; `table` and the reference's latency then follow from them
  // (agent/session/joint_problem.h).
  std::vector<ClassFacts> classes;
};

// The integer program's answers (policies/integer_program.h), which depend on the solver's version.
struct AnswersEvent {
  static constexpr std::string_view kKind = "answers";
  IntegerProgramAnswers program;  // its members are the object's keys
};

// The twin: uniform 8 bit trained alone, by the schedule of the whole search. Written again, with the
// readings of before and as many new ones, after the conditions by which a search is extended (not by an
// older bitpilot, whose twin stayed as it was).
struct AnchorEvent {
  static constexpr std::string_view kKind = "anchor";
  Anchor anchor;  // its members are the object's keys, "of_first_budget" where it is not 0
  // Of the state that it ended with, beside the study; both empty where nothing trained.
  std::string sha256;
  std::string file;
  // Of its losses on every validation image (agent/session/twin_losses.h), beside the study; both
  // empty in studies of an older bitpilot.
  std::string losses_sha256;
  std::string losses_file;
};

struct ConditionsEvent {
  static constexpr std::string_view kKind = "conditions";
  Conditions conditions;  // its members are the object's keys
};

// A trial.
struct ProposalEvent {
  static constexpr std::string_view kKind = "proposal";
  int step = 0;  // 0, 1, 2, ... in the order of the proposals
  Choice choice;
  std::string assignment_id;
  std::string reason;  // prose: replays do not compare it
  // An older bitpilot did not write it: then what the reason begins with.
  Origin origin = Origin::kUnknown;
  // The next ones from log version 3 on.
  TicketId ticket = 0;
  TicketId from = 0;  // ticket of the place
  Pace pace;
  std::vector<ClassId> classes;
  int episode = 0;
  std::optional<DecisionFigures> figures;  // what the policy expected, if it plans
};

struct AdvanceEvent {
  static constexpr std::string_view kKind = "advance";
  TicketId ticket = 0;
  Choice choice;
  std::string assignment_id;
  std::string reason;  // prose: replays do not compare it
  Origin origin = Origin::kUnknown;
  TicketId from = 0;
  Pace pace;
  int episode = 0;
  std::optional<DecisionFigures> figures;  // as above
};

struct ProbeEvent {
  static constexpr std::string_view kKind = "probe";
  TicketId ticket = 0;
  std::vector<Choice> choices;
  TicketId from = 0;
};

struct StopEvent {
  static constexpr std::string_view kKind = "stop";
  TicketId at = 0;
  std::vector<Choice> finalists = {};  // that the policy named; an older bitpilot had none
};

struct KeepsEvent {
  static constexpr std::string_view kKind = "keeps";
  std::vector<TicketId> places;  // ascending
};

struct PlaceEvent {
  static constexpr std::string_view kKind = "place";
  TicketId ticket = 0;  // 0: the start
  std::string sha256;
  std::string file;  // relative to the study's folder of files
  // Of the ticket's training, nats: its answer repeats it, also if another process writes that. Null
  // where nothing was trained, or it diverged.
  std::optional<double> train_loss;
  // The ticket's training left something that is no finite number: this is the state that it began
  // from again.
  bool diverged = false;
};

struct PolicyEvent {
  static constexpr std::string_view kKind = "policy";
  std::string state;  // Policy::Save() after the actions before it
};

struct MeasurementEvent {
  static constexpr std::string_view kKind = "measurement";
  std::string measurement_id;
  std::string row_sha256;  // of every column of the measurement row, windows included
  std::string candidate_id;
  std::string tier;
  std::string status;
  // From log version 8 on, as the row's conditions say: the class that it was measured for, the board's
  // name in the fleet, and the device time of the whole request.
  ClassId on = {};
  std::string board = {};
  double board_seconds = 0.0;
  // By which its board knows the request, which other rows may share: hexadecimal. Empty of a board that
  // is no daemon's, and in studies of an older bitpilot.
  std::string measure_id = {};
};

// What was asked of a class for a step was given up because all of its boards were gone
// (`search --on-missing surrogate`): its answer is BoardUnavailable, with a prediction.
struct MissingEvent {
  static constexpr std::string_view kKind = "missing";
  int step = 0;
  ClassId on;
  std::string detail;
};

struct TransitionEvent {
  static constexpr std::string_view kKind = "transition";
  int step = 0;
  // Its members are the object's keys; latency_ns is null unless measured, loss and accuracy where
  // training diverged.
  Transition transition;
  std::optional<double>
      train_loss;              // mean over the step's mini-batches, nats; null without training
  std::string network_sha256;  // of the network that was evaluated; empty if rejected or diverged
  // The next ones from log version 3 on: what `transition` follows from.
  TicketId ticket = 0;
  Progress at;
  std::optional<Scored> score;
  std::vector<ClassOutcome> classes;

  TrialOutcome Outcome() const { return {ticket, at, train_loss, score, classes}; }
};

struct AdvancedEvent {
  static constexpr std::string_view kKind = "advanced";
  Advanced advanced;  // its members are the object's keys, "ticket" for its id
};

struct ProbedEvent {
  static constexpr std::string_view kKind = "probed";
  Probed probed;  // as above
};

// Of log version 2 and below.
struct CheckpointEvent {
  static constexpr std::string_view kKind = "checkpoint";
  int step = 0;  // the first step that is not contained in it; 0: the state that all start from
  std::string sha256;
  std::string file;  // relative to the study's folder of files
  // Of the step's training, nats: its transition repeats it, also if another process writes that.
  // Null where nothing was trained, or it diverged.
  std::optional<double> train_loss;
  // The step's training left something that is no finite number: this is the state before it again.
  bool diverged = false;
};

// One finalist, trained at its own widths after the search. Where finalists do not train
// (`batches` is 0), one that no step exported: its network at the start that is better.
struct TrainedEvent {
  static constexpr std::string_view kKind = "trained";
  std::string assignment_id;
  // Held-out losses at these widths before that training, nats: of the place where the search
  // stopped, and of the twin's end. It began from the lower one. Null where there is no such start, or
  // where that loss is no finite number.
  std::optional<double> search_loss;  // none where the search does not train: then it is calibrated
  std::optional<double> twin_loss;
  bool from_twin = false;
  int depth = 0;                     // mini-batches that these weights had had before
  int batches = 0;                   // that this training took; 0 if it diverged
  std::optional<double> train_loss;  // null without any, or if it diverged
  bool diverged = false;             // the weights are those that it began with
  // Validation, after it. Null, and no network, where the loss is finite at no start.
  std::optional<Scored> score;
  std::string network_sha256;
};

struct ArtifactEvent {
  static constexpr std::string_view kKind = "artifact";
  std::string sha256;
  std::string kind;
  std::string file;  // relative to the study's folder of files
};

struct EndEvent {
  static constexpr std::string_view kKind = "end";
  std::string reason;  // "done", "interrupted", "all boards lost", ...
};

// MeasurementRow::conditions: under what a measurement was taken. Unknown values are null.
struct MeasurementConditions {
  double confidence = 0.0;  // of the latency interval
  int inferences_per_window = 0;
  double drift = 0.0;        // last third of the windows over the first, minus 1
  double duration_ms = 0.0;  // device time of the whole request
  std::uint64_t involuntary_context_switches = 0;
  std::optional<double> load_average;
  std::vector<std::string> kernels;    // per operation
  std::vector<double> operation_ns;    // per operation, if asked for
  std::optional<double> model_energy;  // of a model board whose table has energies
  std::string model_energy_unit;
  std::optional<EnergyConditions> energy;    // of MeasurementRow::energy
  std::string no_energy_reason;              // if it was asked for
  std::optional<double> model_energy_error;  // relative, 95 %; only of a fitted model
  BoardConditions board;
  std::string fingerprint;  // FingerprintOf() the board then; empty in studies of an older bitpilot
  ClassId on = {};          // that it was measured for; as MeasurementEvent's
  std::string board_name;   // its name in the fleet, MeasurementRow::board has what it calls itself
  std::string measure_id;   // MeasurementEvent's
  int attempt = 0;          // of that request, from 0; measure_id is the attempt's own
};

}  // namespace bitpilot
