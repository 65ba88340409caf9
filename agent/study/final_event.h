// The table of results that ends a search, and what reading the test images told.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/fleet/board.h"
#include "agent/fleet/class_name.h"
#include "agent/study/event_payload.h"
#include "agent/study/finalist_role.h"
#include "kernels/base/energy.h"
#include "kernels/base/round_comparison.h"
#include "policies/environment.h"

namespace bitpilot {

// One line of the table that ends a search. Test accuracies; latencies of the final, interleaved
// measurement. Rows are trained alike where all have the same final_batches.
struct FinalRow {
  FinalistRole role = FinalistRole::kUniform8;  // studies of an older bitpilot wrote an "origin"
  int number = 0;                               // of a member of the front, from 1
  std::string label;                            // for people: LabelOf() these two
  // Why the row has no figures: neither accuracies, which are 0 then, nor a measurement. Empty if it
  // has.
  std::string no_figures_reason;
  std::string assignment;  // canonical JSON text
  std::string assignment_id;
  // On the validation images, in [0, 1]: what rows are chosen by (agent/study/chosen_rows.h). Null,
  // as the next ones, in studies of an older bitpilot.
  std::optional<double> validation_accuracy;
  // That the weights had had in all when this network was exported, the last `final_batches` of
  // them at its own widths; 0: calibrated only.
  std::optional<std::int64_t> mini_batches;
  std::optional<int> final_batches;
  std::optional<TrainingStart> start;  // where those began
  double test_accuracy = 0.0;          // in [0, 1]
  std::int64_t test_correct = 0;
  std::int64_t test_total = 0;
  double accuracy_low = 0.0;  // Wilson interval, 95 %
  double accuracy_high = 0.0;
  double paired_difference = 0.0;  // accuracy minus that of uniform 8 bit on the same images
  double paired_low = 0.0;
  double paired_high = 0.0;
  std::optional<double> latency_median_ns;  // null where the final measurement failed
  double latency_low_ns = 0.0;
  double latency_high_ns = 0.0;
  std::optional<double> ratio;  // to uniform 8 bit of the same rounds, of CPU times; null with it
  double ratio_low = 0.0;
  double ratio_high = 0.0;
  // A cost table's figure in the unit that the table names; null unless the board is a model.
  std::optional<double> model_energy;
  std::string model_energy_unit;
  // As a sensor saw it, and its gross figure's ratio to that of uniform 8 bit; null where none did.
  std::optional<MeasuredEnergy> energy;
  std::optional<EnergyRatio> energy_ratio;
  std::string no_energy_reason;  // if it was asked for
  // Of model_energy, to uniform 8 bit; null with it.
  std::optional<double> model_energy_ratio;
  std::optional<double> model_energy_error;  // relative, 95 %; only of a fitted model
  std::string source;                        // "measured", or "MODEL:<table name>"
  std::int64_t weight_bytes = 0;
  // Every budget that was given; of accuracy as BudgetedAccuracy() (agent/study/chosen_rows.h).
  bool budget_met = true;
  std::string measurement_id;        // empty if nothing was measured
  std::vector<std::string> kernels;  // per operation, as the board named them
  std::string measure_status;        // "OK" or "NOISY"; empty if nothing was measured
  std::string measure_detail;        // why it is NOISY
  // Of the comparison, from 1, where the board took the networks in several. Those of different
  // parts shared no rounds: nothing is said of which is faster. Uniform 8 bit is in every part.
  int part = 1;
  // Beside uniform 8 bit, by a sign test over the interleaved rounds
  // (agent/results/speed_claims.h). Null of uniform 8 bit itself, of a model's figures, of a mean over
  // classes, and where nothing was measured.
  std::optional<Speed> speed;
  double speed_p_value = 1.0;
  // Rows that shared rounds do not tell apart from it: indices into FinalEvent::rows. Studies of an
  // older bitpilot wrote labels.
  std::vector<int> as_fast_as;
  // The class and the board (its name in the fleet) that its latency is of. Of a mean over classes there
  // is no one board, and latencies are means.
  ClassId on = {};
  std::string board;
};

// The final table on one of several classes.
struct ClassFinal {
  ClassId on;
  std::vector<FinalRow> rows;  // parallel to FinalEvent::rows, with this class's latencies
  std::vector<int>
      front;  // of them, what the search's front on this class is, by ascending latency
  double hypervolume = 0.0;  // of what the search measured there
  int comparisons = 1;       // as FinalEvent's
};

// What a final candidate costs on the machine's full instruction set.
struct FullIsaRow {
  int row = 0;  // index into FinalEvent::rows; studies of an older bitpilot wrote its label
  double latency_median_ns = 0.0;
  double ratio = 0.0;  // to uniform 8 bit on the same instruction set
};
struct FullIsa {
  std::string isa;
  std::vector<FullIsaRow> rows;
  std::string measure_status;  // "OK" or "NOISY"; empty in studies of an older bitpilot
  std::string measure_detail;  // why it is NOISY
  int comparisons = 1;         // as FinalEvent's
};

// How two networks class the same labelled images. [network's answer right?][reference's right?]
struct PairedCounts {
  std::int64_t both = 0;
  std::int64_t only_this = 0;       // the reference is wrong
  std::int64_t only_reference = 0;  // this network is wrong
  std::int64_t neither = 0;

  std::int64_t correct() const { return both + only_this; }
  std::int64_t total() const { return both + only_this + only_reference + neither; }
};

// What reading the test images told; the final table follows from it and from the measurements.
struct TestEvent {
  static constexpr std::string_view kKind = "test";
  // Parallel to FinalEvent's, without those that have no figures, which are the last; the reference is
  // uniform 8 bit.
  std::vector<PairedCounts> rows;
};

struct FinalEvent {
  static constexpr std::string_view kKind = "final";
  std::vector<FinalRow> rows;
  // Of everything that the search measured: anchored validation error and latency.
  double hypervolume = 0.0;
  // In error, latency and energy; null where energy was no objective.
  std::optional<double> energy_hypervolume;
  std::optional<FullIsa> full_isa;
  int comparisons = 1;    // how often the rows were measured; all but the last were disturbed
  int test_readings = 1;  // how often the search has read the test images; more if it was extended
  std::string no_uniform4;  // ProblemEvent's: why no row is uniform 4 bit
  // Of a search on several, in its order. `rows` then have what the objective makes of them.
  std::vector<ClassFinal> classes;
};

}  // namespace bitpilot
