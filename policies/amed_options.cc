#include "policies/amed_options.h"

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>

namespace bitpilot {
namespace {

using nlohmann::json;

Status Refuse(const std::string& field, const std::string& expected, const json& value) {
  return InvalidArgument("options of policy amed: " + field + " is " + value.dump() +
                         ", expected " + expected);
}

bool IsWhole(const json& value, int least) {
  return value.is_number_integer() && value.get<std::int64_t>() >= least &&
         value.get<std::int64_t>() <= 1'000'000;
}

Status SetField(const std::string& field, const json& value, AmedOptions* options) {
  const auto whole = [&](int* target) -> Status {
    if (!IsWhole(value, field == "targets" ? 2 : 1)) {
      return Refuse(field, "a whole number from " + std::string(field == "targets" ? "2" : "1"),
                    value);
    }
    *target = value.get<int>();
    return Status();
  };
  if (field == "train_while_searching") {
    if (!value.is_boolean()) return Refuse(field, "true or false", value);
    options->train_while_searching = value.get<bool>();
  } else if (field == "training_steps") {
    const bool whole_numbers =
        value.is_array() && !value.empty() &&
        std::all_of(value.begin(), value.end(), [](const json& one) { return IsWhole(one, 0); });
    if (whole_numbers) options->training_steps = value.get<std::vector<int>>();
    if (!whole_numbers ||
        std::adjacent_find(options->training_steps.begin(), options->training_steps.end(),
                           std::greater_equal<>()) != options->training_steps.end()) {
      return Refuse(field, "ascending whole numbers from 0", value);
    }
  } else if (field == "targets") {
    return whole(&options->targets);
  } else if (field == "worlds") {
    return whole(&options->worlds);
  } else if (field == "steps_considered") {
    return whole(&options->steps_considered);
  } else if (field == "least_gain" || field == "least_gain_of_training") {
    if (!value.is_number() || !(value.get<double>() >= 0.0)) {
      return Refuse(field, "a number from 0", value);
    }
    (field == "least_gain" ? options->least_gain : options->least_gain_of_training) =
        value.get<double>();
  } else {
    return InvalidArgument("options of policy amed: no field is called \"" + field + "\"");
  }
  return Status();
}

}  // namespace

std::string ToJson(const AmedOptions& options) {
  return json{{"train_while_searching", options.train_while_searching},
              {"training_steps", options.training_steps},
              {"targets", options.targets},
              {"worlds", options.worlds},
              {"steps_considered", options.steps_considered},
              {"least_gain", options.least_gain},
              {"least_gain_of_training", options.least_gain_of_training}}
      .dump();
}

Result<AmedOptions> AmedOptionsFromJson(std::string_view text) {
  const json object = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) {
    return InvalidArgument("options of policy amed: expected a JSON object");
  }
  AmedOptions options;
  for (const auto& [field, value] : object.items()) {
    BITPILOT_RETURN_IF_ERROR(SetField(field, value, &options));
  }
  return options;
}

}  // namespace bitpilot
