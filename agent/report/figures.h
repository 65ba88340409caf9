// The report's pictures and tables, each as a fragment of HTML with inline SVG. All take what they
// show from ReportData, leave out what the study does not hold (yet), and escape every string.
#pragma once

#include <string>

#include "agent/report/report_data.h"

namespace bitpilot {

// One line a final candidate: test accuracy, difference to 8 bit, latency, ratio, size, budget.
std::string SummaryTable(const ReportData& data);

// The ratio of each of them on each of several classes of boards; nothing of a search on one.
std::string ClassesTable(const ReportData& data);

// How the boards of each class of two or more were compared, and which of them measure for it.
std::string CalibrationTable(const ReportData& data);

// Accuracy over latency ratio: final candidates with intervals, searched ones faint, references and
// budgets marked.
std::string ParetoPlot(const ReportData& data);

// What a sensor or meter measured of the final candidates: a table with gross and net energies, and
// accuracy over the gross ratio. Where it was asked for and none was measured, the reason.
std::string MeasuredEnergies(const ReportData& data);

// The same of what a model board claims, in the model's unit: never on an axis with the above.
std::string ModelEnergies(const ReportData& data);

// Bits of every layer's weights and of every stored tensor, by candidate.
std::string BitsMaps(const ReportData& data);

// Hypervolume so far, latency ratio and accuracy over the steps of the search.
std::string CoursePlot(const ReportData& data);

// Every step: why it was proposed and what came of it.
std::string StepsTable(const ReportData& data);

// Every timing window of the final measurements, as deviation from its candidate's median. Nothing
// of a model: nobody timed it.
std::string WindowsPlot(const ReportData& data);

// How often was measured, how noisy it was, what measuring candidates again cost, what failed, and which
// kernels ran; of a model only what failed and the host's fingerprint.
std::string ConditionsTables(const ReportData& data);

// Under which conditions was measured, by fingerprint (agent/fleet/board_conditions.h), and what
// the boards noted; and a warning where the search's measurements have more than one.
std::string FingerprintsTable(const ReportData& data);
std::string FingerprintBanner(const ReportData& data);

// What was searched, by whom, on which board, and whether the log verifies: one line, and all of it
// as tables.
std::string FactsLine(const ReportData& data);
std::string FactsTables(const ReportData& data);

// The commands that repeat and check the search.
std::string Reproduction(const ReportData& data);

}  // namespace bitpilot
