#include "agent/model/bit_spec.h"

#include <charconv>
#include <optional>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "kernels/base/text_file.h"

namespace bitpilot {
namespace {

using Json = nlohmann::json;

// Reads "w4a4"; nullopt if `spec` has another form.
std::optional<std::pair<int, int>> ParseUniform(std::string_view spec) {
  const auto read_number = [&spec](char letter) -> std::optional<int> {
    if (spec.empty() || spec.front() != letter) return std::nullopt;
    int value = 0;
    const char* begin = spec.data() + 1;
    const auto [end, error] = std::from_chars(begin, spec.data() + spec.size(), value);
    if (error != std::errc() || end == begin) return std::nullopt;
    spec.remove_prefix(static_cast<std::size_t>(end - spec.data()));
    return value;
  };
  const std::optional<int> weights = read_number('w');
  if (!weights) return std::nullopt;
  const std::optional<int> activations = read_number('a');
  if (!activations || !spec.empty()) return std::nullopt;
  return std::pair(*weights, *activations);
}

Result<std::vector<ChannelRun>> RunsFromJson(const Json& entry, int channels,
                                             const std::string& where) {
  std::vector<ChannelRun> runs;
  if (entry.is_number_integer()) {
    runs.push_back({channels, entry.get<int>()});
    return runs;
  }
  const std::string expected =
      where + ": expected a width or a list of [channels, bits] pairs, got " + entry.dump();
  if (!entry.is_array()) return InvalidArgument(expected);
  for (const Json& pair : entry) {
    const bool is_pair = pair.is_array() && pair.size() == 2 && pair[0].is_number_integer() &&
                         pair[1].is_number_integer();
    if (!is_pair) return InvalidArgument(expected);
    runs.push_back({pair[0].get<int>(), pair[1].get<int>()});
  }
  return runs;
}

// Boards run channels of 0 bits; there is no training for them.
Status RefusePruned(const Topology& topology, const BitAssignment& assignment) {
  const std::vector<int> layers = LayerOperations(topology);
  for (std::size_t l = 0; l < layers.size(); ++l) {
    for (const ChannelRun& run : assignment.weight_bits[l]) {
      if (run.bits > 0) continue;
      return InvalidArgument("weight_bits of " +
                             topology.operations[static_cast<std::size_t>(layers[l])].name +
                             ": bits must be in [1, 8] for training, got 0");
    }
  }
  return {};
}

Result<BitAssignment> WidthsFromJson(const Topology& topology, const Json& json,
                                     std::string_view where) {
  const std::string prefix(where);
  for (const char* key : {"weight_bits", "activation_bits"}) {
    if (!json.is_object() || !json.contains(key) || !json[key].is_array()) {
      return InvalidArgument(prefix + ": expected a JSON object with the list \"" + key + "\"");
    }
  }
  const std::vector<int> layers = LayerOperations(topology);
  const Json& weights = json["weight_bits"];
  if (weights.size() != layers.size()) {
    return InvalidArgument(prefix + ": weight_bits has " + std::to_string(weights.size()) +
                           " entries, " + topology.name + " has " + std::to_string(layers.size()) +
                           " convolution and fully connected layers (ends included)");
  }
  BitAssignment assignment;
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const Operation& operation = topology.operations[static_cast<std::size_t>(layers[l])];
    Result<std::vector<ChannelRun>> runs = RunsFromJson(
        weights[l], operation.out_channels, prefix + ": weight_bits of " + operation.name);
    if (!runs.ok()) return runs.status();
    assignment.weight_bits.push_back(std::move(runs).value());
  }
  for (const Json& bits : json["activation_bits"]) {
    if (!bits.is_number_integer()) {
      return InvalidArgument(prefix + ": activation_bits must hold whole numbers, got " +
                             bits.dump());
    }
    assignment.activation_bits.push_back(bits.get<int>());
  }
  if (Status status = ValidateAssignment(topology, assignment); !status.ok())
    return status.WithContext(where);
  BITPILOT_RETURN_IF_ERROR(RefusePruned(topology, assignment).WithContext(where));
  return assignment;
}

}  // namespace

Result<BitAssignment> AssignmentFromJson(const Topology& topology, const Json& json,
                                         std::string_view where) {
  const std::string prefix(where);
  if (!json.is_object() || !json.contains("activation_names") ||
      !json["activation_names"].is_array()) {
    return InvalidArgument(prefix +
                           ": expected the list \"activation_names\" beside \"activation_bits\"");
  }
  const Json& names = json["activation_names"];
  for (int t = 0; t < topology.num_stored_tensors(); ++t) {
    const auto index = static_cast<std::size_t>(t);
    const std::string expected = TensorName(topology, t);
    if (index >= names.size()) {
      return InvalidArgument(prefix + ": activation_names ends before tensor \"" + expected +
                             "\"; " + topology.name + " has " +
                             std::to_string(topology.num_stored_tensors()) + " stored tensors");
    }
    if (names[index] != expected) {
      return InvalidArgument(prefix + ": activation_names[" + std::to_string(t) + "] must be \"" +
                             expected + "\", got " + names[index].dump());
    }
  }
  if (names.size() > static_cast<std::size_t>(topology.num_stored_tensors())) {
    return InvalidArgument(prefix + ": activation_names has " + std::to_string(names.size()) +
                           " entries, " + topology.name + " has " +
                           std::to_string(topology.num_stored_tensors()) + " stored tensors");
  }
  return WidthsFromJson(topology, json, where);
}

Result<BitAssignment> ParseCanonicalAssignment(const Topology& topology, std::string_view text) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  return WidthsFromJson(topology, json, "assignment");
}

Result<BitAssignment> ParseBitSpec(const std::string& spec, const Topology& topology,
                                   const std::string& flag) {
  if (const auto uniform = ParseUniform(spec)) {
    const auto [weights, activations] = *uniform;
    if (weights < 1 || weights > 8 || activations < 1 || activations > 8) {
      return InvalidArgument(flag + " " + spec + ": widths must be in 1..8");
    }
    return UniformAssignment(topology, weights, activations);
  }
  const Result<std::string> text = ReadTextFile(spec);
  if (!text.ok()) {
    // "foo", if there is no such file, is a form that there is not.
    const bool is_form = text.status().code() == StatusCode::kNotFound &&
                         spec.find_first_of("./") == std::string::npos;
    return Status(is_form ? StatusCode::kInvalidArgument : text.status().code(),
                  flag + " " + spec + ": neither of the form w4a4 (widths 1..8) nor a readable " +
                      "JSON file: " + text.status().message());
  }
  const Json json = Json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return DataCorrupt(spec + ": not valid JSON");
  Result<BitAssignment> assignment = AssignmentFromJson(topology, json, spec);
  if (!assignment.ok()) return assignment.status().AsCorruptInput();
  return assignment;
}

Json AssignmentToJson(const Topology& topology, const BitAssignment& assignment) {
  Json json = Json::parse(CanonicalText(assignment));
  Json names = Json::array();
  for (int t = 0; t < topology.num_stored_tensors(); ++t) names.push_back(TensorName(topology, t));
  json["activation_names"] = std::move(names);
  return json;
}

}  // namespace bitpilot
