// The fields of a search's configuration, listed once: the flags of `bitpilot search`, the study's
// JSON, the ranges that are checked, what a resume may name anew, the report's table, and the
// command that repeats a search all follow from this list.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "agent/study/search_config.h"

namespace bitpilot {

using ConfigValue = std::variant<std::string*, bool*, int*, std::uint64_t*, double*,
                                 std::vector<int>*, std::vector<std::string>*, std::optional<int>*,
                                 std::optional<std::int64_t>*, std::optional<double>*>;

// How a flag's text means the value.
enum class FlagForm : std::uint8_t {
  kPlain,    // the value; of a bool: the flag alone sets it
  kNegated,  // of a bool: the flag alone clears it
  kRatio,    // a positive number, with an "x" behind it or without: 0.7x
  kObject,   // of a string: the text of a JSON object; an object in the study's JSON, too
};

struct ConfigField {
  std::string_view key;   // in the study's JSON; empty: it settles another field, and is not stored
  std::string_view name;  // for people
  std::string_view flag = "";  // "--max-latency"; empty: the search fills it in
  std::string_view help = "";  // of the flag
  ConfigValue (*value)(SearchConfig& config) = nullptr;  // never, in the list
  FlagForm form = FlagForm::kPlain;
  // Of numbers, each of a list: the range, ends included.
  double min = 0.0;
  double max = 0.0;
  // JSON that a study without the key means; empty: every study has it.
  std::string_view if_missing = "";
  bool can_move = false;  // a resume may name it anew: where something is, not what is searched
};

// In the order of the help text.
std::span<const ConfigField> ConfigFields();

// "0.7x" or "0.7", positive.
//
// Errors: kInvalidArgument: "takes a ratio to uniform 8 bit such as 0.7x, got '0'".
Result<double> ParseRatio(std::string_view text);

// The text of a field in a study's configuration, for people: "" where it is not set, a list with
// commas, "yes" and "no".
std::string TextOf(const ConfigField& field, const nlohmann::json& config);

// One flag of `bitpilot search`, and its value where it takes one.
struct FlagText {
  std::string_view flag;
  std::optional<std::string> value;
};

// The flags that give a study's configuration again, those at "not set" left out. Keys that nobody
// knows are skipped.
std::vector<FlagText> FlagsOf(const nlohmann::json& config);

}  // namespace bitpilot
