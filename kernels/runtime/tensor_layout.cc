#include "kernels/runtime/tensor_layout.h"

#include <algorithm>
#include <cstring>

namespace bitpilot {
namespace {

bool ReadsHalo(const Operation& operation) {
  // Maximum pooling clips its windows: padding never wins there, whatever the zero point.
  return operation.kind == OperationKind::kConvolution ||
         operation.kind == OperationKind::kAveragePool;
}

// Whether the input image's 3 channels need no fourth to fill up a pixel: if fewer bytes make fewer
// steps for the one convolution that reads it. Fewer bits than 8 might call for bit planes or
// tables, which want whole steps.
bool HasDensePixels(const Network& network) {
  constexpr int kStepElements = 4;
  const Topology& topology = network.topology;
  const int channels = topology.input.channels;
  const Operation& first = topology.operations.front();
  const bool has_other_readers =
      std::any_of(topology.operations.begin() + 1, topology.operations.end(),
                  [](const Operation& other) { return other.input == 0 || other.residual == 0; });
  return channels == 3 && network.tensors.front().bits == 8 && !has_other_readers &&
         first.kind == OperationKind::kConvolution && first.groups == 1 && first.residual < 0 &&
         (first.kernel_w * channels + kStepElements - 1) / kStepElements < first.kernel_w;
}

// Layouts without offsets.
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
    const bool is_dense = &tensor == &tensors.front() && HasDensePixels(network);
    tensor.pixel_bytes = is_dense ? tensor.shape.channels : (tensor.shape.channels + 3) / 4 * 4;
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

// Memory of tensors of equal geometry, of which one lives at a time.
struct Buffer {
  std::vector<int> tensors;  // In the order of a run.
  int last_reader = 0;       // Of the last tensor.
  std::size_t bytes = 0;     // With the slack on both sides.
  std::size_t offset = 0;    // Of the slack.
  bool is_shared = false;    // With another buffer.
};

// Tensor t is written by operation t - 1, so its buffer must outlive that operation's inputs.
int Writer(int tensor) { return tensor - 1; }

bool LiveAtOnce(const Buffer& a, const Buffer& b) {
  return Writer(a.tensors.front()) <= b.last_reader && Writer(b.tensors.front()) <= a.last_reader;
}

bool Overlap(const Buffer& a, const Buffer& b) {
  return a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes;
}

std::vector<Buffer> AssignBuffers(const Topology& topology,
                                  const std::vector<TensorLayout>& tensors) {
  const std::vector<int> last_readers = LastReaders(topology);
  std::vector<Buffer> buffers;
  for (int t = 0; t < topology.num_stored_tensors(); ++t) {
    const TensorLayout& tensor = tensors[static_cast<std::size_t>(t)];
    auto buffer = std::find_if(buffers.begin(), buffers.end(), [&](const Buffer& free) {
      return free.last_reader < Writer(t) &&
             SameGeometry(tensors[static_cast<std::size_t>(free.tensors.front())], tensor);
    });
    if (buffer == buffers.end()) {
      buffers.emplace_back();
      buffer = buffers.end() - 1;
      buffer->bytes =
          RoundUp(tensor.total_bytes() + 2 * kTensorSlackBytes, AlignedBuffer::kAlignment);
    }
    buffer->tensors.push_back(t);
    buffer->last_reader = std::max(last_readers[static_cast<std::size_t>(t)], Writer(t));
  }
  return buffers;
}

// Gives `buffer` the lowest offset that keeps it apart from those of `others` that live with it.
void PutLow(const std::vector<const Buffer*>& others, Buffer* buffer) {
  buffer->offset = 0;
  for (bool moved = true; moved;) {
    moved = false;
    for (const Buffer* other : others) {
      if (LiveAtOnce(*other, *buffer) && Overlap(*other, *buffer)) {
        buffer->offset = other->offset + other->bytes;
        moved = true;
      }
    }
  }
}

// The largest first. Returns the bytes that all take.
std::size_t Arrange(std::vector<Buffer>* buffers) {
  std::vector<Buffer*> by_size;
  for (Buffer& buffer : *buffers) by_size.push_back(&buffer);
  std::stable_sort(by_size.begin(), by_size.end(),
                   [](const Buffer* a, const Buffer* b) { return a->bytes > b->bytes; });
  std::vector<const Buffer*> arranged;
  std::size_t total_bytes = 0;
  for (Buffer* buffer : by_size) {
    PutLow(arranged, buffer);
    arranged.push_back(buffer);
    total_bytes = std::max(total_bytes, buffer->offset + buffer->bytes);
  }
  for (Buffer& buffer : *buffers) {
    buffer.is_shared = std::any_of(
        buffers->begin(), buffers->end(),
        [&buffer](const Buffer& other) { return &other != &buffer && Overlap(other, buffer); });
  }
  return total_bytes;
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
  plan.refills_halo.resize(plan.tensors.size());
  std::vector<Buffer> buffers = AssignBuffers(network.topology, plan.tensors);
  plan.total_bytes = Arrange(&buffers);
  for (const Buffer& buffer : buffers) {
    for (const int t : buffer.tensors) {
      plan.tensors[static_cast<std::size_t>(t)].arena_offset = buffer.offset + kTensorSlackBytes;
    }
    const auto first = static_cast<std::size_t>(buffer.tensors.front());
    plan.refills_halo[first] = buffer.is_shared && !(plan.tensors[first].halo == Padding{});
  }
  return plan;
}

void FillHalo(const TensorLayout& tensor, std::uint8_t* arena) {
  const auto fill = [&](std::size_t begin, std::size_t end) {
    std::memset(arena + begin, tensor.zero_point, end - begin);
  };
  const auto image_row_bytes = static_cast<std::size_t>(tensor.shape.width * tensor.pixel_bytes);
  std::size_t row = tensor.origin_offset();
  fill(tensor.arena_offset, row);
  for (int y = 1; y < tensor.shape.height; ++y) {
    const std::size_t next = row + static_cast<std::size_t>(tensor.row_bytes);
    fill(row + image_row_bytes, next);
    row = next;
  }
  fill(row + image_row_bytes, tensor.arena_offset + tensor.total_bytes());
}

void RefillHalo(const ArenaPlan& plan, int tensor, std::uint8_t* arena) {
  const auto index = static_cast<std::size_t>(tensor);
  if (index < plan.tensors.size() && plan.refills_halo[index]) {
    FillHalo(plan.tensors[index], arena);
  }
}

AlignedBuffer AllocateArena(const ArenaPlan& plan) {
  AlignedBuffer arena(plan.total_bytes);
  for (const TensorLayout& tensor : plan.tensors) {
    FillHalo(tensor, arena.data());
  }
  return arena;
}

}  // namespace bitpilot
