#include "agent/study/step_ids.h"

namespace bitpilot {
namespace {

constexpr std::string_view kStep = "step-";
constexpr std::string_view kLonger = "-standard";
constexpr std::string_view kAgain = "-again-";
constexpr std::string_view kMoved = "-moved-";
constexpr std::string_view kUniform8 = "-uniform-8";

}  // namespace

std::string StepId(int step, int class_number) {
  return std::string(kStep) + std::to_string(step) +
         (class_number == 1 ? "" : "-class-" + std::to_string(class_number));
}

bool IsStep(std::string_view measurement_id) {
  return measurement_id.starts_with(kStep) && !measurement_id.ends_with(kUniform8);
}

std::string StepIdOf(std::string_view measurement_id) {
  std::string_view id = measurement_id.substr(0, measurement_id.find(kAgain));
  if (id.ends_with(kLonger)) id.remove_suffix(kLonger.size());
  return std::string(id.substr(0, id.find(kMoved)));
}

std::string MovedStepId(const std::string& step_id, int number) {
  return step_id + std::string(kMoved) + std::to_string(number);
}

std::string LongerStepId(const std::string& step_id) { return step_id + std::string(kLonger); }

std::string RepeatedStepId(const std::string& step_id, int number) {
  return step_id + std::string(kAgain) + std::to_string(number);
}

bool IsRepeatedStep(std::string_view measurement_id) {
  return IsStep(measurement_id) && measurement_id.find(kAgain) != std::string_view::npos;
}

std::string Uniform8StepId(const std::string& measurement_id) {
  return measurement_id + std::string(kUniform8);
}

std::string MeasuredBeside(std::string_view uniform8_id) {
  if (!uniform8_id.starts_with(kStep) || !uniform8_id.ends_with(kUniform8)) return {};
  return std::string(uniform8_id.substr(0, uniform8_id.size() - kUniform8.size()));
}

}  // namespace bitpilot
