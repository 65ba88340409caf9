// Step ids: what the measurements of a search's candidates are called in its study.
#pragma once

#include <string>
#include <string_view>

namespace bitpilot {

// The first measurement of a step: "step-12"; on the second of several classes "step-12-class-2".
//
// class_number: of the search's classes, from 1.
std::string StepId(int step, int class_number = 1);

// The step measured anew on another board, because the one that had begun with it is gone; number: 1,
// 2, ... Its longer and repeated measurements are named after that.
std::string MovedStepId(const std::string& step_id, int number);

// True of the candidate's row of a step's measurement, the first or a later one, not of uniform 8 bit's.
bool IsStep(std::string_view measurement_id);

// The StepId() that the measurement is of. REQUIRES: IsStep().
std::string StepIdOf(std::string_view measurement_id);

// The step measured in longer windows, because the first one left its ratio vague.
std::string LongerStepId(const std::string& step_id);

// The step measured once more because the measurement before was NOISY; number: 1, 2, ...
std::string RepeatedStepId(const std::string& step_id, int number);

// True of the candidate's row in a measurement that RepeatedStepId() names, not of uniform 8 bit's.
bool IsRepeatedStep(std::string_view measurement_id);

// The row of uniform 8 bit in the same rounds.
std::string Uniform8StepId(const std::string& measurement_id);

// The other way round; empty if it is no step's row of uniform 8 bit.
std::string MeasuredBeside(std::string_view uniform8_id);

}  // namespace bitpilot
