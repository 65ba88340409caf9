// Accuracy over the ratio to uniform 8 bit of some cost: one drawing for latency and for energies,
// each with its own axis.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "agent/report/report_data.h"

namespace bitpilot {

// A cost relative to uniform 8 bit, with its 95 % interval (a point where there is none).
struct RatioInterval {
  double value = 0.0;
  double low = 0.0;
  double high = 0.0;
};

struct ParetoAxis {
  std::string name;        // of the picture: "Accuracy over latency of all candidates"
  std::string title;       // of the axis: "latency relative to uniform 8 bit  (left is faster)"
  std::string budget_key;  // in the configuration; empty: none is drawn
  std::function<std::optional<RatioInterval>(const FinalRow&)> of_row;
  std::function<std::optional<double>(const Transition&)> of_step;
};

// The picture with its legend. Candidates without this cost are left out.
//
// REQUIRES: data.problem.
std::string DrawPareto(const ReportData& data, const ParetoAxis& axis);

}  // namespace bitpilot
