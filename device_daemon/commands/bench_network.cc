#include "device_daemon/commands/bench_network.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <system_error>

#include "kernels/base/network_file.h"
#include "kernels/base/standard_networks.h"

namespace bitpilot {
namespace {

constexpr std::uint64_t kWeightSeed = 1;  // any: times do not depend on the data

struct Widths {
  int weights = 8;
  int activations = 8;
};

// "w4a8"; nullopt for any other text. Without std::regex, which would make the program much larger.
std::optional<Widths> ParseWidths(const std::string& text) {
  const auto is_width = [](char c) { return c >= '1' && c <= '8'; };
  if (text.size() != 4 || text[0] != 'w' || text[2] != 'a') return std::nullopt;
  if (!is_width(text[1]) || !is_width(text[3])) return std::nullopt;
  return Widths{text[1] - '0', text[3] - '0'};
}

bool IsThere(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

}  // namespace

Result<Network> LoadBenchNetwork(const BenchNetworkChoice& choice, const std::string& flag,
                                 const std::string& bits_flag) {
  const Result<Topology> topology = StandardTopology(choice.name);
  if (!topology.ok()) {
    if (!IsThere(choice.name)) {
      return topology.status().WithContext(flag + " " + choice.name +
                                           ": neither a file nor a known network");
    }
    if (!choice.bits.empty()) {
      return InvalidArgument(bits_flag + ": " + choice.name +
                             " is a file, which has its own widths");
    }
    Result<Network> network = ReadNetworkFile(choice.name);
    if (!network.ok()) return network.status().AsCorruptInput();
    return network;
  }
  const std::string bits = choice.bits.empty() ? "w8a8" : choice.bits;
  const std::optional<Widths> widths = ParseWidths(bits);
  if (!widths) {
    return InvalidArgument(bits_flag + ": expected w1a1 ... w8a8, e.g. w4a8, got \"" + bits + "\"");
  }
  return RandomNetwork(
      *topology, UniformAssignment(*topology, widths->weights, widths->activations), kWeightSeed);
}

Result<BenchNetworkChoice> ParseVersus(const std::string& text, const BenchNetworkChoice& a) {
  if (IsThere(text)) return BenchNetworkChoice{text, ""};
  if (ParseWidths(text)) {
    if (StandardTopology(a.name).ok()) return BenchNetworkChoice{a.name, text};
    return InvalidArgument("--versus " + text +
                           ": widths alone are those of a named network, and " + a.name +
                           " is a file: name a file, or a network such as resnet20:" + text);
  }
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos) return BenchNetworkChoice{text, ""};
  return BenchNetworkChoice{text.substr(0, colon), text.substr(colon + 1)};
}

}  // namespace bitpilot
