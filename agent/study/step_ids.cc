#include "agent/study/step_ids.h"

namespace bitpilot {
namespace {

constexpr std::string_view kStep = "step-";
constexpr std::string_view kAgain = "-again-";
constexpr std::string_view kUniform8 = "-uniform-8";

}  // namespace

std::string StepId(int step) { return std::string(kStep) + std::to_string(step); }

std::string LongerStepId(const std::string& step_id) { return step_id + "-standard"; }

std::string RepeatedStepId(const std::string& step_id, int number) {
  return step_id + std::string(kAgain) + std::to_string(number);
}

bool IsRepeatedStep(std::string_view measurement_id) {
  return measurement_id.starts_with(kStep) && !measurement_id.ends_with(kUniform8) &&
         measurement_id.find(kAgain) != std::string_view::npos;
}

std::string StepOfRepeated(std::string_view measurement_id) {
  return std::string(measurement_id.substr(0, measurement_id.find(kAgain)));
}

std::string Uniform8StepId(const std::string& measurement_id) {
  return measurement_id + std::string(kUniform8);
}

}  // namespace bitpilot
