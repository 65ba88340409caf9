#include "kernels/tensor_layout.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace bitpilot {
namespace {

constexpr std::size_t kAlignment = 64;

std::size_t RoundUp(std::size_t value, std::size_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

bool ReadsHalo(const Operation& operation) {
  // Maximum pooling clips its windows: padding never wins there, whatever the zero point.
  return operation.kind == OperationKind::kConvolution ||
         operation.kind == OperationKind::kAveragePool;
}

// Layouts without places.
std::vector<TensorLayout> ShapeTensors(const Network& network) {
  const std::vector<TensorShape> shapes = TensorShapes(network.topology);
  std::vector<TensorLayout> tensors(
      static_cast<std::size_t>(network.topology.num_stored_tensors()));
  for (std::size_t t = 0; t < tensors.size(); ++t) {
    tensors[t].shape = shapes[t];
    tensors[t].zero_point = network.tensors[t].zero_point;
  }
  for (const Operation& operation : network.topology.operations) {
    if (ReadsHalo(operation)) {
      Padding& halo = tensors[static_cast<std::size_t>(operation.input)].halo;
      halo.top = std::max(halo.top, operation.padding.top);
      halo.left = std::max(halo.left, operation.padding.left);
      halo.bottom = std::max(halo.bottom, operation.padding.bottom);
      halo.right = std::max(halo.right, operation.padding.right);
    }
  }
  for (TensorLayout& tensor : tensors) {
    tensor.pixel_bytes = (tensor.shape.channels + 3) / 4 * 4;
    tensor.row_bytes =
        tensor.pixel_bytes * (tensor.shape.width + tensor.halo.left + tensor.halo.right);
  }
  return tensors;
}

// Last operation that reads each tensor.
std::vector<int> LastReaders(const Topology& topology) {
  std::vector<int> last(static_cast<std::size_t>(topology.num_stored_tensors()), -1);
  for (int i = 0; i < topology.num_operations(); ++i) {
    const Operation& operation = topology.operations[static_cast<std::size_t>(i)];
    last[static_cast<std::size_t>(operation.input)] = i;
    if (operation.residual >= 0) {
      last[static_cast<std::size_t>(operation.residual)] = i;
    }
  }
  return last;
}

bool SameGeometry(const TensorLayout& a, const TensorLayout& b) {
  return a.shape == b.shape && a.halo == b.halo && a.zero_point == b.zero_point;
}

// The arena offset of a dead tensor whose place `tensor` can take, or nothing.
const TensorLayout* FindReusable(const std::vector<TensorLayout>& free_places,
                                 const TensorLayout& tensor) {
  const auto found =
      std::find_if(free_places.begin(), free_places.end(),
                   [&](const TensorLayout& place) { return SameGeometry(place, tensor); });
  return found == free_places.end() ? nullptr : &*found;
}

}  // namespace

std::size_t TensorLayout::total_bytes() const {
  return static_cast<std::size_t>(row_bytes) *
         static_cast<std::size_t>(shape.height + halo.top + halo.bottom);
}

std::size_t TensorLayout::origin_offset() const {
  return arena_offset + static_cast<std::size_t>(halo.top * row_bytes + halo.left * pixel_bytes);
}

ArenaPlan PlanArena(const Network& network) {
  ArenaPlan plan;
  plan.tensors = ShapeTensors(network);
  const std::vector<int> last_readers = LastReaders(network.topology);
  std::vector<TensorLayout> free_places;
  // Tensor t is written by operation t - 1, so its place must outlive that operation's inputs.
  for (int t = 0; t < network.topology.num_stored_tensors(); ++t) {
    TensorLayout& tensor = plan.tensors[static_cast<std::size_t>(t)];
    if (const TensorLayout* place = FindReusable(free_places, tensor)) {
      tensor.arena_offset = place->arena_offset;
      free_places.erase(free_places.begin() + (place - free_places.data()));
    } else {
      tensor.arena_offset = plan.total_bytes + kTensorSlackBytes;
      plan.total_bytes =
          RoundUp(tensor.arena_offset + tensor.total_bytes() + kTensorSlackBytes, kAlignment);
    }
    for (int dead = 0; dead < t; ++dead) {
      if (last_readers[static_cast<std::size_t>(dead)] == t - 1) {
        free_places.push_back(plan.tensors[static_cast<std::size_t>(dead)]);
      }
    }
  }
  return plan;
}

void AlignedBuffer::Free::operator()(std::uint8_t* data) const {
  ::operator delete (data, std::align_val_t{kAlignment});
}

AlignedBuffer::AlignedBuffer(std::size_t size)
    : data_(static_cast<std::uint8_t*>(::operator new (size, std::align_val_t{kAlignment}))),
      size_(size) {
  std::memset(data_.get(), 0, size);
}

AlignedBuffer AllocateArena(const ArenaPlan& plan) {
  AlignedBuffer arena(plan.total_bytes);
  for (const TensorLayout& tensor : plan.tensors) {
    std::memset(arena.data() + tensor.arena_offset, tensor.zero_point, tensor.total_bytes());
  }
  return arena;
}

}  // namespace bitpilot
