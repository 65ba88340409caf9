#include "agent/cli/search_flags.h"

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <variant>

#include "agent/device/board_choice.h"
#include "agent/fleet/fleet_file.h"
#include "agent/model/model_definition.h"
#include "agent/session/check_before_search.h"
#include "agent/study/config_fields.h"
#include "agent/study/study.h"
#include "kernels/base/file_io.h"
#include "kernels/base/joined.h"
#include "policies/policy.h"

namespace bitpilot {
namespace {

constexpr char kExtends[] = "--measurements";
constexpr char kWidths[] = "--widths";
constexpr double kLongestWait = 365.0 * 24 * 3600;  // seconds

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
        } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
          // Each is a flag of its own: what follows is no further value.
          command.add_option(std::string(field.flag), *value, HelpOf(field))
              ->allow_extra_args(false);
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

CLI::App* AddSearchCommandFlags(CLI::App& app, SearchFlags& flags) {
  CLI::App* command = app.add_subcommand(
      "search", "Search bit-widths on a board while training; or resume a search");
  command->add_option("--study", flags.study, "The SQLite file that records the search")
      ->required();
  command->add_flag(
      "--resume", flags.resume,
      "Go on where the study ends. --data, --weights, --teacher, --fleet, --board, "
      "--device, --cpu and --meter say where to find what has moved; --measurements N "
      "extends a search that has ended by N, its mini-batches with it");
  command->add_flag(
      "--allow-class-change", flags.allow_class_change,
      "Resume a training search on another CPU class; its training can then not be repeated");
  command->add_flag("--audit", flags.audit,
                    "Compare the front with 8 bit in 100 rounds of 100 ms at the end, for figures "
                    "that are published, instead of 24 to 40 of 20 ms");
  command->add_option("--metrics", flags.metrics,
                      "Keep this file up to date for Prometheus' textfile collector (its name ends "
                      "in .prom): phase, steps by their status, hypervolume");
  command
      ->add_option(
          "--max-wait", flags.max_wait_s,
          "With --fleet: end, so that it can be resumed, when a class has had no board that works "
          "for so many seconds (default: wait)")
      ->transform(NumberIn(0.0, kLongestWait));
  command
      ->add_option(
          "--on-missing", flags.on_missing,
          "When a class has had no board for --max-wait (600 s by default then): \"wait\" ends "
          "the search, \"surrogate\" answers candidates with what the class's table of layer "
          "times predicts; predictions are labelled, and in no front and no table of results")
      ->check(CLI::IsMember({"wait", "surrogate"}))
      ->capture_default_str();
  AddLeaseFlags(*command, flags.lease);
  AddSearchFlags(*command, flags.values);
  AddJsonFlag(*command, flags.json);
  return command;
}

Status CheckSearchStudy(const CLI::App& command, const SearchFlags& flags) {
  if (!flags.metrics.empty()) {
    BITPILOT_RETURN_IF_ERROR(CheckOutput("--metrics", flags.metrics, {flags.study}));
  }
  std::error_code error;
  const bool exists = std::filesystem::exists(flags.study, error);
  if (!flags.resume) {
    if (!exists) return Status();
    return InvalidArgument(flags.study +
                           " exists: go on with it (--resume) or name another file (--study FILE)");
  }
  BITPILOT_RETURN_IF_ERROR(CheckResumeFlags(command));
  // Which board the study has, and whether it is one, the study says.
  const MovedParts moved = MovedPartsOf(command, flags.values);
  if (!moved.fleet.empty() && !IsReadOnce(moved.fleet)) {
    BITPILOT_RETURN_IF_ERROR(ReadFleetFile(moved.fleet).status());
  }
  return exists ? Status() : Study::OpenReadOnly(flags.study).status();
}

Status CheckSearch(const CLI::App& command, const SearchFlags& flags) {
  BITPILOT_RETURN_IF_ERROR(CheckSearchStudy(command, flags));
  if (flags.resume) return Status();
  const SearchConfig config = ConfigOf(flags.values);
  if (flags.lease) BITPILOT_RETURN_IF_ERROR(CheckLeaseIsOfAFleet(config.fleet));
  return CheckNewSearch(config).status();
}

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
  command.get_option("--class")->excludes(command.get_option("--board"));
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
