// How much measuring the budgets leave: in networks, whatever they are counted in.
#pragma once

#include "policies/view.h"

namespace bitpilot {

// Networks that every class with a board may still measure, beside those in flight; 0 without a class.
//
// Of board seconds a network is expected to take rather more than less, for durations differ by twenty
// times where neighbours disturb: a standard deviation above the mean so far, and no less than the even
// share that the budgets themselves give each measurement. One may begin as long as any are left.
int NetworksLeftToMeasure(const View& view);

}  // namespace bitpilot
