// How pairs of candidates are ordered by what they are charged, and by their error in the end.
#pragma once

#include <cmath>
#include <optional>

namespace bitpilot {

struct OrderedPairs {
  int agree = 0;
  int disagree = 0;
  int tied_charge = 0;
  int tied_error = 0;

  // Differences of the two of a pair.
  void Count(double charge, double error) {
    if (charge == 0.0 && error == 0.0) return;
    if (charge == 0.0) {
      ++tied_charge;
    } else if (error == 0.0) {
      ++tied_error;
    } else {
      ++((charge > 0.0) == (error > 0.0) ? agree : disagree);
    }
  }

  // Kendall's tau-b: ties in either count for neither side. Nothing where all are tied.
  std::optional<double> Tau() const {
    const double all = agree + disagree;
    const double scale = std::sqrt((all + tied_charge) * (all + tied_error));
    if (scale == 0.0) return std::nullopt;
    return (agree - disagree) / scale;
  }
};

}  // namespace bitpilot
