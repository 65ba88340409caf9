// The `result` line that `bitpilot search --json` ends with. Scripts read it: keys are only added.
//
//   {"type":"result","study":FILE,"policy":NAME,"seed":N,"measurements":N,"hypervolume":H,
//    "hypervolume_energy":H|null,
//    "front":[CANDIDATE...],"reference":{"w8a8":CANDIDATE,"w4a4":CANDIDATE},"ilp_start":CANDIDATE,
//    "chosen":{"within_1_point":LABEL|null,"within_3_points":LABEL|null,
//              "most_accurate":LABEL|null,
//              "not_from_search_but_better":{"within_1_point":[LABEL...],"within_3_points":[LABEL...],
//                                      "most_accurate":[LABEL...]}},
//    "classes":{TAG:{"front":[CANDIDATE...],"reference":{"w8a8":CANDIDATE,"w4a4":CANDIDATE},
//                    "hypervolume":H,"comparisons":N,"calibration":CALIBRATION|null}...},
//    "objective":"worst"|"mean"|TAG,
//    "budget_met":BOOL,"interrupted":false,"full_isa":{"isa":NAME,"rows":[...],
//    "measure_status":"OK"|"NOISY","measure_detail":TEXT,"comparisons":N}|null,"comparisons":N,
//    "test_readings":N,"no_w4a4":TEXT|null,
//    "mini_batches_outside_budgets":{"uniform8_alone":N,"final_networks":N,"final_batches":N},
//    "budgets":[BUDGET...]}
//
// A BUDGET that the user gave: {"flag":"--max-latency","limit":N,"unknown":TEXT|null,
// "nearest":LABEL|null,"nearest_value":N|null,"nearest_test_accuracy":N|null,"alone":LABEL|null,
// "alone_value":N|null}: why no candidate has a figure for it, or the candidate that comes nearest
// to it, and the nearest of those that keep all the other budgets. Figures of --min-accuracy are of
// validation images.
//
// classes: one of each class of boards, with its own latencies; "board" where there is but one board. Of
// several, "front" and "reference" outside of it are joint: what the objective makes of all classes
// (agent/results/joint_rows.h).
//
// A CALIBRATION of the boards of a class, as it was decided last; null where the class is one board:
// {"boards":[{"board":NAME,"pooled":BOOL,"latency_factor":N|null,"residual":N|null,"noise":N|null,
// "detail":TEXT}...],"reference":NAME,"networks":N,"last_resort":BOOL,"max_residual":N,
// "max_ratio_difference":N,"board_seconds":S}. latency_factor: a board's latencies as a multiple of the
// reference board's; residual: how much that scatters over the networks, at most max_residual where the board
// is pooled, and no ratio to uniform 8 bit off by more than max_ratio_difference
// (agent/study/board_agreement.h). last_resort: none agreed with the class, which went on all the same.
//
// comparisons: how often the candidates were measured at the end; all but the last were NOISY.
// test_readings: how often the test images were read; more than once if the search was extended.
// no_w4a4: why "reference" has no "w4a4": the search's widths, or a model board's table, lack it.
//
// mini_batches_outside_budgets: of uniform 8 bit that trained alone, by this search or an earlier
// one with the same training; and final_batches of each of final_networks networks of this table,
// which differ in their widths.
//
// chosen: rows that were found, by validation accuracy and final ratio (agent/study/chosen_rows.h); one
// that is on no front but a class's, "class front N", is in "classes";
// test accuracies choose nothing, and nobody is chosen where uniform 8 bit's own final training diverged.
// not_from_search_but_better: the references and the integer program's answer that the same rule puts
// before the row chosen, or before uniform 8 bit where none was; ratios within 1 % are equal.
//
// A CANDIDATE:
//   label                 "front 1", "uniform 8 bit", ...
//   weight_bits           a number a layer; [channels, bits] pairs where a layer has groups
//   activation_bits       a number a stored tensor; activation_names their names: a file with this
//                         object is one that --bits takes
//   validation_accuracy   in [0, 1], after the final training: what rows are chosen by
//   mini_batches          that its weights had had in all; 0 = calibrated only
//   final_batches         of them at its own widths, after the search: where all candidates have
//                         the same and that is not 0, they are trained alike
//   start                 where those began: "search" (the place where it stopped), "twin" (the end
//                         of uniform 8 bit that trained alone), "calibrated"
//   no_figures_reason     why the row was not compared: then it has neither accuracies nor a
//                         latency; else null
//   accuracy              on the test images, in [0, 1]; accuracy_ci its 95 % interval;
//                         accuracy_difference_int8(_ci) the paired difference to uniform 8 bit
//   latency_median_ns     null where the final measurement failed; latency_ci_ns [low, high];
//                         latency_ratio_int8(_ci) of interleaved rounds; source
//   class, board          that measured it; null of a mean over classes
//   speed_int8            "faster", "slower" or "no difference" than uniform 8 bit, by a sign test
//                         over the interleaved rounds; null of a model, and of a mean over classes;
//                         speed_p_value
//   as_fast_as            labels of candidates that the rounds do not tell apart from this one
//   part                  of the final comparison, from 1, where the board took it in several: of
//                         candidates of different parts nothing is said of which is faster
//   measure_status        "OK" or "NOISY"; measure_detail says why
//   weight_bytes
//   energy_uj, ...        what a sensor measured (agent/cli/energy_json.h), else null
//   model_energy          a cost table's figure (ModelEnergyJson()), or null: not a measurement
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "agent/session/search_session.h"

namespace bitpilot {

// REQUIRES: !outcome.interrupted.
nlohmann::json SearchResultLine(const SearchOutcome& outcome, const std::string& study_path);

// True if the search measured a candidate, and the final comparison has a latency of one,
// references aside.
bool AnyCandidateWasMeasured(const FinalEvent& final);

// True if a candidate of the search, references aside, kept its budgets when measured again.
bool AnyCandidateMeetsBudgets(const FinalEvent& final);

}  // namespace bitpilot
