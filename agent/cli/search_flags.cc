#include "agent/cli/search_flags.h"

#include <algorithm>
#include <string_view>
#include <type_traits>
#include <variant>

#include "agent/model/model_definition.h"
#include "agent/study/config_fields.h"
#include "policies/policy.h"

namespace bitpilot {
namespace {

constexpr char kExtends[] = "--measurements";
constexpr char kWidths[] = "--widths";

// The help text, with what the program knows names of.
std::string HelpOf(const ConfigField& field) {
  const std::string help(field.help);
  if (field.flag == "--model") return help + ": " + Joined(ModelNames());
  if (field.flag == "--policy") return help + ": " + Joined(PolicyNames());
  if (field.flag == kExtends) return help + "; with --resume, so many more than the study has";
  return help;
}

void AddText(CLI::App& command, const ConfigField& field, std::string* value) {
  auto* option = command.add_option(std::string(field.flag), *value, HelpOf(field));
  if (!value->empty()) option->capture_default_str();
}

void AddBool(CLI::App& command, const ConfigField& field, bool* value) {
  const bool set = field.form != FlagForm::kNegated;
  command.add_flag_callback(
      std::string(field.flag), [value, set] { *value = set; }, HelpOf(field));
}

void AddRatio(CLI::App& command, const ConfigField& field, std::optional<double>* value) {
  const std::string flag(field.flag);
  command.add_option_function<std::string>(
      flag,
      [flag, value](const std::string& text) {
        const Result<double> ratio = ParseRatio(text);
        if (!ratio.ok()) throw CLI::ValidationError(flag + " " + ratio.status().message());
        *value = *ratio;
      },
      HelpOf(field));
}

// T: the value's type, or what its std::optional holds.
template <typename T, typename Value>
void AddNumber(CLI::App& command, const ConfigField& field, Value* value) {
  auto* option = command.add_option(std::string(field.flag), *value, HelpOf(field));
  if constexpr (std::is_same_v<T, std::uint64_t>) {
    option->transform(NumberIn<std::uint64_t>(0));
  } else if constexpr (std::is_same_v<T, double>) {
    option->transform(NumberIn(field.min, field.max));
  } else {
    option->transform(
        WholeNumberIn(static_cast<std::int64_t>(field.min), static_cast<std::int64_t>(field.max)));
  }
  if constexpr (std::is_same_v<T, Value>) option->capture_default_str();
}

void AddWidths(CLI::App& command, const std::string& flag, const std::string& help,
               std::vector<int>* value) {
  command.add_option(flag, *value, help)->transform(WholeNumberIn(1, 8))->delimiter(',');
}

void AddField(CLI::App& command, const ConfigField& field, SearchConfig& config) {
  std::visit(
      [&](auto* value) {
        using T = std::remove_pointer_t<decltype(value)>;
        if constexpr (std::is_same_v<T, std::string>) {
          AddText(command, field, value);
        } else if constexpr (std::is_same_v<T, bool>) {
          AddBool(command, field, value);
        } else if constexpr (std::is_same_v<T, std::vector<int>>) {
          AddWidths(command, std::string(field.flag), HelpOf(field), value);
        } else if constexpr (std::is_same_v<T, std::optional<double>>) {
          if (field.form == FlagForm::kRatio) {
            AddRatio(command, field, value);
          } else {
            AddNumber<double>(command, field, value);
          }
        } else if constexpr (requires { typename T::value_type; }) {
          AddNumber<typename T::value_type>(command, field, value);
        } else {
          AddNumber<T>(command, field, value);
        }
      },
      field.value(config));
}

const ConfigField* FieldOf(const std::string& flag) {
  for (const ConfigField& field : ConfigFields()) {
    if (field.flag == flag) return &field;
  }
  return nullptr;
}

}  // namespace

void AddSearchFlags(CLI::App& command, SearchFlagValues& values) {
  for (const ConfigField& field : ConfigFields()) {
    if (!field.flag.empty()) AddField(command, field, values.config);
  }
  AddWidths(command, kWidths, "Widths for weights and activations, e.g. 2,4,8 (default 2,3,...,8)",
            &values.widths);
  for (const char* flag : {"--weight-widths", "--activation-widths"}) {
    command.get_option(flag)->excludes(command.get_option(kWidths));
  }
  command.get_option("--fleet")->excludes(command.get_option("--device"));
  command.get_option("--final-epochs")->excludes(command.get_option("--final-batches"));
}

SearchConfig ConfigOf(const SearchFlagValues& values) {
  SearchConfig config = values.config;
  if (!values.widths.empty()) config.weight_widths = config.activation_widths = values.widths;
  if (!config.fleet.empty()) config.device.clear();
  return config;
}

Status CheckResumeFlags(const CLI::App& command) {
  for (const CLI::Option* option : command.get_options()) {
    const std::string name = option->get_name();
    const ConfigField* field = FieldOf(name);
    const bool defines =
        name == kWidths || (field != nullptr && !field->can_move && name != kExtends);
    if (option->count() == 0 || !defines) continue;
    return InvalidArgument(name +
                           " cannot be given with --resume: the study holds the search's settings");
  }
  return Status();
}

MovedParts MovedPartsOf(const CLI::App& command, const SearchFlagValues& values) {
  const SearchConfig& config = values.config;
  const auto given = [&](const char* flag, const std::string& value) {
    return command.count(flag) > 0 ? value : std::string();
  };
  return {given("--weights", config.weights), given("--data", config.data),
          given("--device", config.device),   given("--fleet", config.fleet),
          given("--board", config.board),     given("--cpu", config.cpu),
          given("--meter", config.meter),     given("--teacher", config.teacher)};
}

}  // namespace bitpilot
