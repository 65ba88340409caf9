#include "agent/qat/training_state.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>
#include <type_traits>
#include <utility>

#include "kernels/base/sha256.h"

namespace bitpilot {
namespace {

constexpr std::string_view kMagic = "BPCKPT";
constexpr std::string_view kVersion = "02";
constexpr std::size_t kDigestSize = 32;
constexpr std::uint64_t kMaxEntries = 1U << 30;  // of a list whose length the bytes say

// Appends values to bytes.
class Writer {
 public:
  template <typename T, std::size_t N>
  void Values(std::span<T, N> values) {
    static_assert(std::is_trivially_copyable_v<T>);
    bytes_.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
  }
  template <typename T>
  void List(std::vector<T>& values) {
    std::uint64_t size = values.size();
    Values(std::span(&size, 1));
    Values(std::span(values));
  }
  std::string& bytes() { return bytes_; }

 private:
  std::string bytes_;
};

// Takes values from bytes, in the order in which Writer appended them. After the first value that
// is missing nothing is read any more and ok() is false.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  template <typename T, std::size_t N>
  void Values(std::span<T, N> values) {
    static_assert(std::is_trivially_copyable_v<T>);
    ok_ = ok_ && values.size_bytes() <= bytes_.size();
    if (!ok_) return;
    std::memcpy(values.data(), bytes_.data(), values.size_bytes());
    bytes_.remove_prefix(values.size_bytes());
  }
  template <typename T>
  void List(std::vector<T>& values) {
    std::uint64_t size = 0;
    Values(std::span(&size, 1));
    ok_ = ok_ && size <= kMaxEntries && size * sizeof(T) <= bytes_.size();
    if (!ok_) return;
    values.resize(size);
    Values(std::span(values));
  }
  bool AtEnd() const { return ok_ && bytes_.empty(); }
  bool ok() const { return ok_; }

 private:
  std::string_view bytes_;
  bool ok_ = true;
};

// Looks for values that are not finite.
class FiniteScan {
 public:
  template <typename T, std::size_t N>
  void Values(std::span<T, N> values) {
    finite_ = finite_ && std::all_of(values.begin(), values.end(),
                                     [](const T& value) { return Finite(value); });
  }
  template <typename T>
  void List(std::vector<T>&) {}  // widths
  bool finite() const { return finite_; }

 private:
  static bool Finite(float value) { return std::isfinite(value); }
  static bool Finite(int) { return true; }
  static bool Finite(std::int64_t) { return true; }
  static bool Finite(const LearnedStep& learned) {
    return Finite(learned.step) && Finite(learned.first) && Finite(learned.second);
  }
  static bool Finite(const TensorWidthState& tensor) {
    return Finite(tensor.learned) && Finite(tensor.calibrated_step);
  }

  bool finite_ = true;
};

// All uses in one place: `archive` writes from, reads into or looks at `state`, whose fixed sizes
// follow from the topology.
template <typename Archive>
void Transfer(Archive& archive, TrainingState& state) {
  for (LayerTensors& layer : state.layers) {
    for (const at::Tensor& parameter : layer.Parameters()) archive.Values(Values(parameter));
  }
  for (AdamMoments& moments : state.moments) {
    archive.Values(std::span(moments.first));
    archive.Values(std::span(moments.second));
    archive.Values(std::span(&moments.updates, 1));
  }
  for (LayerState& layer : state.bank.layers) {
    for (std::vector<LearnedStep>& steps : layer) archive.Values(std::span(steps));
  }
  for (TensorState& tensor : state.bank.tensors) archive.Values(std::span(tensor));
  for (std::vector<ChannelRun>& runs : state.assignment.weight_bits) archive.List(runs);
  archive.Values(std::span(state.assignment.activation_bits));
  archive.Values(std::span(&state.batches_trained, 1));
}

std::vector<char> ToList(std::string_view text) { return {text.begin(), text.end()}; }

TrainingState DeepCopy(const TrainingState& state) {
  TrainingState copy = state;
  for (LayerTensors& layer : copy.layers) {
    for (at::Tensor* tensor : {&layer.weight, &layer.bias, &layer.gamma, &layer.beta}) {
      if (tensor->defined()) *tensor = tensor->detach().clone();
    }
  }
  return copy;
}

Status CheckEnvelope(std::string_view bytes) {
  const std::size_t header = kMagic.size() + kVersion.size();
  if (bytes.size() < header + kDigestSize || bytes.substr(0, kMagic.size()) != kMagic) {
    return DataCorrupt("expected a training checkpoint, got " + std::to_string(bytes.size()) +
                       " bytes of something else");
  }
  const std::string_view version = bytes.substr(kMagic.size(), kVersion.size());
  if (version != kVersion) {
    return Status(StatusCode::kVersionMismatch,
                  "training checkpoint: this program reads version " + std::string(kVersion) +
                      ", the checkpoint has version " + std::string(version));
  }
  const std::string_view content = bytes.substr(0, bytes.size() - kDigestSize);
  const Sha256Digest digest = ComputeSha256(content);
  if (std::memcmp(digest.data(), bytes.data() + content.size(), kDigestSize) != 0) {
    return DataCorrupt("training checkpoint: wrong checksum; it is damaged or truncated");
  }
  return Status();
}

}  // namespace

bool IsFinite(const TrainingState& state) {
  TrainingState source = state;  // Tensors are shared, not copied; Transfer() only reads them here.
  FiniteScan scan;
  Transfer(scan, source);
  return scan.finite();
}

std::string SerializeTrainingState(const Topology& topology, const TrainingState& state) {
  TrainingState source = state;  // Tensors are shared, not copied; Transfer() only reads them here.
  Writer writer;
  writer.bytes() = std::string(kMagic) + std::string(kVersion);
  std::vector<char> name = ToList(topology.name);
  writer.List(name);
  Transfer(writer, source);
  std::vector<char> generator = ToList(state.stream.generator_state());
  std::vector<std::uint32_t> order = state.stream.order();
  std::uint64_t position = state.stream.position();
  writer.List(generator);
  writer.List(order);
  writer.Values(std::span(&position, 1));
  const Sha256Digest digest = ComputeSha256(writer.bytes());
  writer.Values(std::span(digest));
  return std::move(writer.bytes());
}

Status ParseTrainingState(const Topology& topology, std::string_view bytes, TrainingState* state) {
  BITPILOT_RETURN_IF_ERROR(CheckEnvelope(bytes));
  const std::size_t header = kMagic.size() + kVersion.size();
  Reader reader(bytes.substr(header, bytes.size() - header - kDigestSize));
  std::vector<char> name;
  reader.List(name);
  if (!reader.ok() || std::string_view(name.data(), name.size()) != topology.name) {
    return DataCorrupt("training checkpoint: expected one of " + topology.name + ", got '" +
                       std::string(name.begin(), name.end()) + "'");
  }
  TrainingState loaded = DeepCopy(*state);
  Transfer(reader, loaded);
  std::vector<char> generator;
  std::vector<std::uint32_t> order;
  std::uint64_t position = 0;
  reader.List(generator);
  reader.List(order);
  reader.Values(std::span(&position, 1));
  if (!reader.AtEnd()) {
    return DataCorrupt("training checkpoint: its size does not fit " + topology.name);
  }
  BITPILOT_RETURN_IF_ERROR(
      loaded.stream.Restore({generator.data(), generator.size()}, std::move(order), position));
  BITPILOT_RETURN_IF_ERROR(
      ValidateAssignment(topology, loaded.assignment).WithContext("training checkpoint"));
  *state = std::move(loaded);
  return Status();
}

}  // namespace bitpilot
