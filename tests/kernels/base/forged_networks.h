// Network files that are well-formed, header and checksum included, and describe no network.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/base/network.h"
#include "kernels/base/network_file.h"
#include "tests/kernels/base/network_file_bytes.h"
#include "tests/kernels/random_networks.h"

namespace bitpilot {

// One 1x1 layer from 3 inputs to 2 outputs: 4 bits for the first channel, 1 bit for the second.
inline Network PackingExample() {
  Topology topology;
  topology.name = "p";
  topology.input = {1, 1, 3};
  topology.operations = {MakeOperation(OperationKind::kFullyConnected, "f", 0, 2)};
  Network network = RandomNetwork(topology, {{{{1, 4}, {1, 1}}}, {8}}, 1);
  network.operations[0].weights.codes = {7, -7, -1, 1, -1, 1};
  return network;
}

// Positions in the body of PackingExample(): text "p" is 3 bytes, then height, width, channels,
// number of operations; the operation: kind at 19, text "f", then its 13 numbers from 23 on.
inline constexpr std::size_t kHeightAt = 3;
inline constexpr std::size_t kChannelsAt = 11;
inline constexpr std::size_t kNumOperationsAt = 15;
inline constexpr std::size_t kOutChannelsAt = 23 + 2 * 4;
inline constexpr std::size_t kKernelAt = 23 + 3 * 4;

struct ForgedNetwork {
  std::string file;
  std::string error;  // A part of what must be said of it.
};

inline std::vector<ForgedNetwork> ForgedNetworks() {
  // From the end of PackingExample()'s body: 3 packed bytes, widths at -5 and -4, 768 input codes
  // before them, then bias[1], bias[0], scale[1], scale[0], code_max, code_min, residual_scale,
  // tensor scale, zero point, bits.
  const std::string body = BodyOf(SerializeNetwork(PackingExample()));
  const std::size_t widths = body.size() - 5;
  const std::size_t scales = widths - 768 - 16;
  const std::string nan = LittleEndian(0x7fc00000, 4);
  const std::string zero = LittleEndian(0, 4);
  const struct {
    std::size_t position;
    std::string bytes;
    const char* error;
  } kCases[] = {
      {kNumOperationsAt, zero, "[1, 1024], got 0"},
      {kNumOperationsAt, LittleEndian(1'000'000, 4), "inside 1000000 operations"},
      {kHeightAt, LittleEndian(0x7fffffff, 4), "height must be in [1, 4096], got 2147483647"},
      {widths, "\x09", "weight bits must be in [0, 8], got 9"},
      {widths, "\x21", "weight bits must be in [0, 8], got 33"},
      {widths, "\xff", "weight bits must be in [0, 8], got 255"},
      {body.size() - 3, "\x98", "weight code must be inside 4 bits, got -8"},
      {scales, nan, "operation f: scale must be finite"},
      {scales + 12, nan, "operation f: bias must be finite"},
      {scales - 2, "\x07\x06", "code_min must be in [0, code_max = 6], got 7"},
      {scales - 6, nan, "residual_scale must be finite"},
      {scales - 10, nan, "tensor input: scale must be positive"},
      {scales - 10, zero, "tensor input: scale must be positive"},
      {scales - 10, LittleEndian(0xbf800000, 4),
       "tensor input: scale must be positive and finite, got -1"},
      {scales - 12, std::string(1, '\0'), "tensor input: bits must be in [1, 8], got 0"},
      {scales - 12, "\x09", "tensor input: bits must be in [1, 8], got 9"},
      {19, "\x06", "unknown operation kind 6"},
  };
  std::vector<ForgedNetwork> forged;
  for (const auto& one : kCases) {
    std::string changed = body;
    changed.replace(one.position, one.bytes.size(), one.bytes);
    forged.push_back({NetworkFileOf(changed), one.error});
  }
  // Widths that do not add up to the weights, for more of these, and for one channel less or more.
  forged.push_back({NetworkFileOf(body.substr(0, widths) + "\x08" + body.substr(widths + 1)),
                    "the body ends inside the weights"});
  forged.push_back({NetworkFileOf(body.substr(0, widths) + body.substr(widths + 1)),
                    "weight bits must be in [0, 8], got 151"});
  forged.push_back({NetworkFileOf(body.substr(0, widths) + "\x04" + body.substr(widths)),
                    "the bits that fill a channel's last byte must be 0"});
  return forged;
}

}  // namespace bitpilot
