// Random small topologies with hostile shapes: odd channel counts, 1x1 images, asymmetric padding,
// filters larger than the image, strides, groups, residuals, every kind of operation.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>

#include "kernels/base/topology.h"
#include "tests/kernels/random_networks.h"

namespace bitpilot {

class RandomTopologyMaker {
 public:
  explicit RandomTopologyMaker(std::uint64_t seed) : random_(seed) {}

  // Valid by construction; between one and `max_operations` operations, then a fully connected
  // layer.
  Topology Make(int max_operations) {
    topology_ = Topology{};
    topology_.name = "random";
    topology_.input = {Pick(1, 9), Pick(1, 9), Pick(1, 5)};
    shapes_ = {topology_.input};
    const int num_operations = Pick(1, max_operations);
    for (int i = 0; i < num_operations; ++i) {
      AddRandomOperation();
    }
    Operation last;
    last.kind = OperationKind::kFullyConnected;
    last.input = static_cast<int>(shapes_.size()) - 1;
    last.out_channels = Pick(1, 40);
    Append(last);
    return topology_;
  }

 private:
  int Pick(int low, int high) { return RandomInteger(random_, low, high); }

  void AddRandomOperation() {
    Operation operation;
    operation.input = Pick(std::max(0, static_cast<int>(shapes_.size()) - 3),
                           static_cast<int>(shapes_.size()) - 1);
    const TensorShape& input = shapes_[static_cast<std::size_t>(operation.input)];
    operation.out_channels = input.channels;
    switch (Pick(0, 7)) {
      case 0:
        operation.kind = OperationKind::kMaxPool;
        SetWindow(operation, input);
        break;
      case 1:
        operation.kind = OperationKind::kAveragePool;
        SetWindow(operation, input);
        break;
      case 2:
        operation.kind = OperationKind::kAdd;
        operation.residual = operation.input;
        break;
      case 3:
        operation.kind = OperationKind::kSubsample;
        operation.stride_h = Pick(1, 2);
        operation.stride_w = Pick(1, 3);
        operation.pad_channels_before = Pick(0, 9);
        operation.out_channels += operation.pad_channels_before + Pick(0, 9);
        break;
      default:
        if (Pick(0, 3) == 0) {
          KeepShape(operation);
        } else {
          SetWindow(operation, input);
        }
        SetChannels(operation, input);
        break;
    }
    operation.activation = Pick(0, 1) == 1 ? Activation::kRelu : Activation::kNone;
    Append(operation);
  }

  void SetWindow(Operation& operation, const TensorShape& input) {
    SetWindowSide(input.height, operation.kernel_h, operation.padding.top,
                  operation.padding.bottom);
    SetWindowSide(input.width, operation.kernel_w, operation.padding.left, operation.padding.right);
    operation.stride_h = Pick(1, 3);
    operation.stride_w = Pick(1, 3);
  }

  // With as many channels as another tensor, residuals are possible.
  void KeepShape(Operation& operation) {
    operation.kernel_h = Pick(1, 3);
    operation.kernel_w = Pick(1, 3);
    operation.padding.top = Pick(0, operation.kernel_h - 1);
    operation.padding.bottom = operation.kernel_h - 1 - operation.padding.top;
    operation.padding.left = Pick(0, operation.kernel_w - 1);
    operation.padding.right = operation.kernel_w - 1 - operation.padding.left;
  }

  // Windows may be larger than the image where padding makes up for it.
  void SetWindowSide(int size, int& kernel, int& before, int& after) {
    kernel = Pick(1, 4);
    before = Pick(0, kernel - 1);
    after = kernel - 1;
    if (size + before + after > kernel) {
      after = Pick(std::max(0, kernel - size - before), kernel - 1);
    }
  }

  void SetChannels(Operation& operation, const TensorShape& input) {
    const int kind = Pick(0, 5);
    if (kind == 0) {  // Depthwise.
      operation.groups = input.channels;
    } else if (kind == 1) {
      operation.groups = input.channels;
      operation.out_channels = input.channels * Pick(1, 3);
    } else if (kind == 2 && input.channels % 2 == 0) {
      operation.groups = 2;
      operation.out_channels = 2 * Pick(1, 20);
    } else if (kind > 3) {
      operation.out_channels = Pick(1, 50);
    }
    for (int t = static_cast<int>(shapes_.size()) - 1; t >= 0; --t) {
      if (shapes_[static_cast<std::size_t>(t)] == OutputShape(operation, input)) {
        operation.residual = t;
      }
    }
  }

  static TensorShape OutputShape(const Operation& operation, const TensorShape& input) {
    if (operation.kind == OperationKind::kFullyConnected) {
      return {1, 1, operation.out_channels};
    }
    const Padding& padding = operation.padding;
    return {
        (input.height + padding.top + padding.bottom - operation.kernel_h) / operation.stride_h + 1,
        (input.width + padding.left + padding.right - operation.kernel_w) / operation.stride_w + 1,
        operation.out_channels};
  }

  void Append(Operation& operation) {
    operation.name = "op" + std::to_string(topology_.operations.size());
    shapes_.push_back(OutputShape(operation, shapes_[static_cast<std::size_t>(operation.input)]));
    topology_.operations.push_back(operation);
  }

  std::mt19937_64 random_;
  Topology topology_;
  std::vector<TensorShape> shapes_;
};

// Networks that every instruction set is compared on; random_networks_test.cc says what they cover.
inline constexpr std::uint64_t kNumRandomNetworks = 3000;

// From one network's seed to the next that is run: 1, or the environment's BITPILOT_RANDOM_NETWORK_STEP where an emulator
// would take too long for all.
inline std::uint64_t RandomNetworkStep() {
  const char* step = std::getenv("BITPILOT_RANDOM_NETWORK_STEP");
  const int value = step == nullptr ? 1 : std::atoi(step);
  return value < 1 ? 1 : static_cast<std::uint64_t>(value);
}

inline Network RandomNetworkOfSeed(std::uint64_t seed) {
  const Topology topology = RandomTopologyMaker(seed).Make(5);
  return RandomNetwork(topology, RandomAssignment(topology, seed), seed);
}

}  // namespace bitpilot
