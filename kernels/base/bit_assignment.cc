#include "kernels/base/bit_assignment.h"

#include "kernels/base/sha256.h"

namespace bitpilot {
namespace {

// Neighbouring runs of one width are one run: the form in which assignments are compared and
// printed.
std::vector<ChannelRun> MergeRuns(const std::vector<ChannelRun>& runs) {
  std::vector<ChannelRun> merged;
  for (const ChannelRun& run : runs) {
    if (!merged.empty() && merged.back().bits == run.bits) {
      merged.back().channels += run.channels;
    } else {
      merged.push_back(run);
    }
  }
  return merged;
}

Status CheckBits(int bits, int least) {
  if (bits >= least && bits <= 8) return Status();
  return InvalidArgument("bits must be in [" + std::to_string(least) + ", 8], got " +
                         std::to_string(bits));
}

Status CheckRuns(const std::vector<ChannelRun>& runs, int out_channels) {
  std::int64_t channels = 0;
  for (const ChannelRun& run : runs) {
    BITPILOT_RETURN_IF_ERROR(CheckBits(run.bits, 0));
    if (run.channels < 1) {
      return InvalidArgument("a channel run must have at least 1 channel, got " +
                             std::to_string(run.channels));
    }
    channels += run.channels;
  }
  if (channels == out_channels) return Status();
  return InvalidArgument("channel runs must sum to " + std::to_string(out_channels) +
                         " channels, got " + std::to_string(channels));
}

Status CheckCount(std::string_view what, std::size_t expected, std::size_t got) {
  if (expected == got) return Status();
  return InvalidArgument(std::string(what) + " must have " + std::to_string(expected) +
                         " entries, got " + std::to_string(got));
}

std::string CanonicalRuns(const std::vector<ChannelRun>& runs) {
  const std::vector<ChannelRun> merged = MergeRuns(runs);
  if (merged.size() == 1) return std::to_string(merged[0].bits);
  std::string text = "[";
  for (const ChannelRun& run : merged) {
    if (text.size() > 1) text += ',';
    text += '[' + std::to_string(run.channels) + ',' + std::to_string(run.bits) + ']';
  }
  return text + ']';
}

std::string ShortRuns(const std::vector<ChannelRun>& runs) {
  const std::vector<ChannelRun> merged = MergeRuns(runs);
  if (merged.size() == 1) return std::to_string(merged[0].bits);
  std::string text = "[";
  for (const ChannelRun& run : merged) {
    if (text.size() > 1) text += '+';
    text += std::to_string(run.channels) + 'x' + std::to_string(run.bits);
  }
  return text + ']';
}

}  // namespace

BitAssignment UniformAssignment(const Topology& topology, int weight_bits, int activation_bits,
                                bool search_ends) {
  const std::vector<int> layers = LayerOperations(topology);
  BitAssignment assignment;
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const bool is_end = l == 0 || l + 1 == layers.size();
    const Operation& op = topology.operations[static_cast<std::size_t>(layers[l])];
    assignment.weight_bits.push_back({{op.out_channels, is_end && !search_ends ? 8 : weight_bits}});
  }
  assignment.activation_bits.assign(static_cast<std::size_t>(topology.num_stored_tensors()),
                                    activation_bits);
  assignment.activation_bits[0] = 8;
  if (!search_ends && !layers.empty()) {
    const Operation& last_layer = topology.operations[static_cast<std::size_t>(layers.back())];
    assignment.activation_bits[static_cast<std::size_t>(last_layer.input)] = 8;
  }
  return assignment;
}

Status ValidateAssignment(const Topology& topology, const BitAssignment& assignment) {
  const std::vector<int> layers = LayerOperations(topology);
  BITPILOT_RETURN_IF_ERROR(CheckCount("weight_bits", layers.size(), assignment.weight_bits.size()));
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const Operation& op = topology.operations[static_cast<std::size_t>(layers[l])];
    BITPILOT_RETURN_IF_ERROR(
        CheckRuns(assignment.weight_bits[l], op.out_channels).WithContext("layer " + op.name));
  }
  const auto num_tensors = static_cast<std::size_t>(topology.num_stored_tensors());
  BITPILOT_RETURN_IF_ERROR(
      CheckCount("activation_bits", num_tensors, assignment.activation_bits.size()));
  for (std::size_t t = 0; t < num_tensors; ++t) {
    BITPILOT_RETURN_IF_ERROR(
        CheckBits(assignment.activation_bits[t], 1)
            .WithContext("tensor " + TensorName(topology, static_cast<int>(t))));
  }
  if (assignment.activation_bits[0] == 8) return Status();
  return InvalidArgument("tensor input: bits must be 8, got " +
                         std::to_string(assignment.activation_bits[0]));
}

std::int64_t WeightBytes(const Topology& topology, const BitAssignment& assignment) {
  const std::vector<int> layers = LayerOperations(topology);
  BITPILOT_CHECK(layers.size() == assignment.weight_bits.size());
  std::int64_t bits = 0;
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const std::int64_t depth = WeightDepth(topology, layers[l]);
    for (const ChannelRun& run : assignment.weight_bits[l]) {
      bits += depth * run.channels * run.bits;
    }
  }
  return (bits + 7) / 8;
}

std::string CanonicalText(const BitAssignment& assignment) {
  std::string text = "{\"activation_bits\":[";
  for (std::size_t t = 0; t < assignment.activation_bits.size(); ++t) {
    if (t > 0) text += ',';
    text += std::to_string(assignment.activation_bits[t]);
  }
  text += "],\"weight_bits\":[";
  for (std::size_t l = 0; l < assignment.weight_bits.size(); ++l) {
    if (l > 0) text += ',';
    text += CanonicalRuns(assignment.weight_bits[l]);
  }
  return text + "]}";
}

std::string AssignmentId(const BitAssignment& assignment) {
  return Sha256Hex(CanonicalText(assignment));
}

std::vector<int> ExpandRuns(const std::vector<ChannelRun>& runs) {
  std::vector<int> bits;
  for (const ChannelRun& run : runs) {
    bits.insert(bits.end(), static_cast<std::size_t>(run.channels), run.bits);
  }
  return bits;
}

std::vector<ChannelRun> RunsOf(const std::vector<int>& channel_bits) {
  std::vector<ChannelRun> runs;
  for (const int bits : channel_bits) {
    if (runs.empty() || runs.back().bits != bits) runs.push_back({0, bits});
    ++runs.back().channels;
  }
  return runs;
}

std::string ToString(const BitAssignment& assignment) {
  std::string text = "w ";
  for (std::size_t l = 0; l < assignment.weight_bits.size(); ++l) {
    if (l > 0) text += '-';
    text += ShortRuns(assignment.weight_bits[l]);
  }
  text += " a ";
  for (std::size_t t = 0; t < assignment.activation_bits.size(); ++t) {
    if (t > 0) text += '-';
    text += std::to_string(assignment.activation_bits[t]);
  }
  return text;
}

}  // namespace bitpilot
