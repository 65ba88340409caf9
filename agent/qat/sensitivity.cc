#include "agent/qat/sensitivity.h"

#include <algorithm>

#include "agent/qat/calibrator.h"
#include "agent/qat/channel_probes.h"
#include "agent/qat/operation_runner.h"
#include "agent/qat/quantized_model_impl.h"
#include "kernels/base/bit_assignment.h"
#include "kernels/base/check.h"

namespace bitpilot {
namespace {

class Probe {
 public:
  Probe(QuantizedModel::Impl& model, const ImageDataset& images)
      : model_(model),
        topology_(model.definition.topology),
        reference_(model.Reference(images)),
        base_(UniformAssignment(topology_, kMaxBits, kMaxBits)),
        bank_(model.state.bank) {
    ResetToWidths(base_, bank_);
    tensors_.resize(topology_.operations.size() + 1);
    tensors_[0] = model.CalibrationImages(images, model.quantized_pixels);
    base_divergence_ = Divergence(base_, bank_, tensors_, /*first_operation=*/0, /*keep=*/true);
  }

  // Increase of the divergence when only `variable` has `bits`.
  double Increase(const DecisionVariable& variable, int bits) const {
    if (bits == kMaxBits) return 0.0;
    const BitAssignment assignment = WithWidth(base_, variable, bits);
    int first_operation = topology_.num_operations();
    for (const BitPosition& position : PositionsOf(variable)) {
      const int operation =
          position.kind == PositionKind::kWeights
              ? LayerOperations(topology_)[static_cast<std::size_t>(position.index)]
              : position.index - 1;  // Its producer quantizes it.
      first_operation = std::min(first_operation, operation);
    }
    StateBank bank = bank_;
    ResetToWidths(assignment, bank);
    std::vector<at::Tensor> tensors = tensors_;  // Shares the tensors before the change.
    return Divergence(assignment, bank, tensors, first_operation, /*keep=*/false) -
           base_divergence_;
  }

 private:
  // Forgets what was learned about the widths of `assignment` and prepares them anew from the
  // weights.
  void ResetToWidths(const BitAssignment& assignment, StateBank& bank) const {
    for (std::size_t l = 0; l < bank.layers.size(); ++l) {
      const std::vector<int> bits = ExpandRuns(assignment.weight_bits[l]);
      const bool as_in_base =
          std::all_of(bits.begin(), bits.end(), [](int channel) { return channel == kMaxBits; });
      if (as_in_base && &bank != &bank_) continue;
      for (std::size_t c = 0; c < bits.size(); ++c) {
        bank.layers[l][static_cast<std::size_t>(bits[c] - 1)].steps[c] = LearnedStep{};
      }
      PrepareLayer(bank.layers[l], Values(model_.state.layers[l].weight), bits);
    }
  }

  // Runs and calibrates [first_operation, end).
  double Divergence(const BitAssignment& assignment, StateBank& bank,
                    std::vector<at::Tensor>& tensors, int first_operation, bool keep) const {
    const torch::NoGradGuard no_gradient;
    Calibrator calibrator(topology_, model_.state.layers, reference_, assignment,
                          model_.input.zero_point == 0, bank);
    const at::Tensor logits = RunOperations(topology_, calibrator, tensors, first_operation, keep);
    const at::Tensor expected = at::log_softmax(reference_.logits.to(torch::kFloat64), 1);
    const at::Tensor got = at::log_softmax(logits.to(torch::kFloat64), 1);
    return (expected.exp() * (expected - got)).sum(1).mean().item<double>();
  }

  QuantizedModel::Impl& model_;
  const Topology& topology_;
  const FloatReference& reference_;
  BitAssignment base_;
  StateBank bank_;
  std::vector<at::Tensor> tensors_;  // of the all-8-bit network
  double base_divergence_ = 0.0;
};

}  // namespace

Result<std::vector<std::vector<double>>> ProbeSensitivity(
    QuantizedModel& model, const ImageDataset& images,
    const std::vector<DecisionVariable>& variables, const ProbeProgress& progress) {
  BITPILOT_CHECK(images.size() > 0);
  const Probe probe(model.impl(), images);
  const std::vector<ChannelProbe> probes = MakeChannelProbes(variables);
  std::vector<std::vector<double>> increases(variables.size());
  int done = 0;
  for (const ChannelProbe& each : probes) {
    std::vector<double> row;
    for (const int bits : each.probed.widths) row.push_back(probe.Increase(each.probed, bits));
    std::vector<double> scale;
    std::span<const float> weights;
    if (each.members.size() > 1) {
      const auto layer = static_cast<std::size_t>(each.probed.index);
      scale = FoldBatchNorm(model.impl().float_layers[layer], model.impl().float_statistics[layer])
                  .scale;
      weights = Values(model.impl().float_layers[layer].weight);
    }
    ShareIncrease(each, row, variables, weights, scale, increases);
    done += static_cast<int>(each.members.size());
    if (progress && !progress(done, each.probed.name)) {
      return Status(StatusCode::kAborted, "the sensitivity probe was stopped");
    }
  }
  return increases;
}

}  // namespace bitpilot
