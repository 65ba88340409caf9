#include "kernels/runtime/channel_order.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

#include "kernels/output/output_args.h"

namespace bitpilot {
namespace {

using Order = std::vector<int>;  // Channel order[j] of the network becomes channel j.

// Tensors whose channels have one order: disjoint sets of tensor indices.
class TensorSets {
 public:
  explicit TensorSets(int num_tensors)
      : parents_(static_cast<std::size_t>(num_tensors)), fixed_(parents_.size(), false) {
    std::iota(parents_.begin(), parents_.end(), 0);
  }

  int Find(int tensor) const {
    while (parents_[static_cast<std::size_t>(tensor)] != tensor) {
      tensor = parents_[static_cast<std::size_t>(tensor)];
    }
    return tensor;
  }
  void Join(int a, int b) {
    const int from = Find(a);
    const int to = Find(b);
    parents_[static_cast<std::size_t>(from)] = to;
    if (fixed_[static_cast<std::size_t>(from)]) Fix(to);
  }
  // The order of the tensor's set must stay.
  void Fix(int tensor) { fixed_[static_cast<std::size_t>(Find(tensor))] = true; }
  bool IsFixed(int tensor) const { return fixed_[static_cast<std::size_t>(Find(tensor))]; }

 private:
  std::vector<int> parents_;
  std::vector<bool> fixed_;
};

bool IsDepthwise(const Operation& operation, int input_channels) {
  return operation.groups > 1 && operation.groups == input_channels &&
         operation.out_channels == input_channels;
}

TensorSets JoinTensors(const Topology& topology, const std::vector<TensorShape>& shapes) {
  TensorSets sets(topology.num_operations() + 1);
  sets.Fix(0);
  sets.Fix(topology.num_operations());
  for (int i = 0; i < topology.num_operations(); ++i) {
    const Operation& operation = topology.operations[static_cast<std::size_t>(i)];
    const int output = i + 1;
    const int input_channels = shapes[static_cast<std::size_t>(operation.input)].channels;
    if (operation.residual >= 0) sets.Join(operation.residual, output);
    if (HasWeights(operation) && operation.groups == 1) continue;  // Reads any order.
    const bool keeps_channels = HasWeights(operation) ? IsDepthwise(operation, input_channels)
                                                      : input_channels == operation.out_channels;
    if (keeps_channels) {
      sets.Join(operation.input, output);
    } else {
      sets.Fix(operation.input);
      sets.Fix(output);
    }
  }
  return sets;
}

// Widths of one layer that writes a tensor of the set.
struct Producer {
  const std::vector<std::uint8_t>* channel_bits = nullptr;
  double macs_per_channel = 0.0;
};

// What blocks of 16 channels in this order multiply: each as wide as its widest channel.
double BlockCost(const std::vector<Producer>& producers, const Order& order) {
  double cost = 0.0;
  for (const Producer& producer : producers) {
    for (std::size_t first = 0; first < order.size(); first += kBlockChannels) {
      const std::size_t end = std::min(first + kBlockChannels, order.size());
      int widest = 0;
      for (std::size_t j = first; j < end; ++j) {
        const auto channel = static_cast<std::size_t>(order[j]);
        widest = std::max<int>(widest, (*producer.channel_bits)[channel]);
      }
      cost += producer.macs_per_channel * widest;
    }
  }
  return cost;
}

Order Identity(int channels) {
  Order order(static_cast<std::size_t>(channels));
  std::iota(order.begin(), order.end(), 0);
  return order;
}

// Widest first, by the sum over all producers of what a channel multiplies.
Order ByTotalWidth(const std::vector<Producer>& producers, int channels) {
  std::vector<double> widths(static_cast<std::size_t>(channels), 0.0);
  for (const Producer& producer : producers) {
    for (std::size_t c = 0; c < widths.size(); ++c) {
      widths[c] += producer.macs_per_channel * (*producer.channel_bits)[c];
    }
  }
  Order order = Identity(channels);
  std::stable_sort(order.begin(), order.end(), [&widths](int a, int b) {
    return widths[static_cast<std::size_t>(a)] > widths[static_cast<std::size_t>(b)];
  });
  return order;
}

// Widest first in the layer that multiplies most, then in the next: every block of the first is
// pure.
Order ByLargestProducer(std::vector<Producer> producers, int channels) {
  std::stable_sort(producers.begin(), producers.end(), [](const Producer& a, const Producer& b) {
    return a.macs_per_channel > b.macs_per_channel;
  });
  Order order = Identity(channels);
  std::stable_sort(order.begin(), order.end(), [&producers](int a, int b) {
    for (const Producer& producer : producers) {
      const int bits_a = (*producer.channel_bits)[static_cast<std::size_t>(a)];
      const int bits_b = (*producer.channel_bits)[static_cast<std::size_t>(b)];
      if (bits_a != bits_b) return bits_a > bits_b;
    }
    return false;
  });
  return order;
}

Order BestOrder(const std::vector<Producer>& producers, int channels) {
  Order best = Identity(channels);
  double best_cost = BlockCost(producers, best);
  for (Order& order : std::vector<Order>{ByTotalWidth(producers, channels),
                                         ByLargestProducer(producers, channels)}) {
    const double cost = BlockCost(producers, order);
    if (cost < best_cost) {
      best_cost = cost;
      best = std::move(order);
    }
  }
  return best;
}

// The order of every tensor, [num_operations + 1].
std::vector<Order> TensorOrders(const Network& network, const std::vector<TensorShape>& shapes) {
  const Topology& topology = network.topology;
  const TensorSets sets = JoinTensors(topology, shapes);
  std::vector<std::vector<Producer>> producers(shapes.size());
  for (int i = 0; i < topology.num_operations(); ++i) {
    const auto index = static_cast<std::size_t>(i);
    const Operation& operation = topology.operations[index];
    if (!HasWeights(operation) || sets.IsFixed(i + 1)) continue;
    producers[static_cast<std::size_t>(sets.Find(i + 1))].push_back(
        {&network.operations[index].weights.channel_bits,
         static_cast<double>(Macs(topology, i)) / operation.out_channels});
  }
  std::vector<Order> of_set;
  for (std::size_t set = 0; set < shapes.size(); ++set) {
    of_set.push_back(producers[set].empty() ? Identity(shapes[set].channels)
                                            : BestOrder(producers[set], shapes[set].channels));
  }
  std::vector<Order> orders;
  for (int t = 0; t <= topology.num_operations(); ++t) {
    orders.push_back(of_set[static_cast<std::size_t>(sets.Find(t))]);
  }
  return orders;
}

template <class T>
void Permute(const Order& order, std::vector<T>& values) {
  std::vector<T> permuted;
  permuted.reserve(values.size());
  for (const int channel : order) permuted.push_back(values[static_cast<std::size_t>(channel)]);
  values = std::move(permuted);
}

// Codes [stored outputs, positions, inputs] in both orders; weights.channel_bits are still in the
// old one.
void PermuteCodes(const Order& outputs, const Order& inputs, std::size_t depth,
                  LayerWeights& weights) {
  std::vector<std::size_t> offsets;  // Of each channel's filter, [O].
  std::size_t next = 0;
  for (const std::uint8_t bits : weights.channel_bits) {
    offsets.push_back(next);
    next += bits == 0 ? 0 : depth;
  }
  std::vector<std::int8_t> permuted;
  permuted.reserve(weights.codes.size());
  for (const int output : outputs) {
    const auto channel = static_cast<std::size_t>(output);
    if (weights.channel_bits[channel] == 0) continue;
    const std::int8_t* filter = weights.codes.data() + offsets[channel];
    for (std::size_t position = 0; position < depth; position += inputs.size()) {
      for (const int input : inputs)
        permuted.push_back(filter[position + static_cast<std::size_t>(input)]);
    }
  }
  weights.codes = std::move(permuted);
}

}  // namespace

std::optional<Network> GroupChannelsByWidth(const Network& network) {
  const std::vector<TensorShape> shapes = TensorShapes(network.topology);
  const std::vector<Order> orders = TensorOrders(network, shapes);
  const bool changes = std::any_of(orders.begin(), orders.end(), [](const Order& order) {
    return !std::is_sorted(order.begin(), order.end());
  });
  if (!changes) return std::nullopt;
  Network grouped = network;
  for (std::size_t i = 0; i < grouped.operations.size(); ++i) {
    const Operation& operation = grouped.topology.operations[i];
    const Order& outputs = orders[i + 1];
    QuantizedOperation& numbers = grouped.operations[i];
    Permute(outputs, numbers.output.scale);
    Permute(outputs, numbers.output.bias);
    if (!HasWeights(operation)) continue;
    const Order& inputs = orders[static_cast<std::size_t>(operation.input)];
    // A grouped convolution's filters see a part of the input, whose order stays.
    PermuteCodes(outputs,
                 operation.groups > 1 ? Identity(static_cast<int>(inputs.size()) / operation.groups)
                                      : inputs,
                 static_cast<std::size_t>(WeightDepth(grouped.topology, static_cast<int>(i))),
                 numbers.weights);
    Permute(outputs, numbers.weights.channel_bits);
  }
  return grouped;
}

}  // namespace bitpilot
