#include "agent/qat/sensitivity.h"

#include <algorithm>

#include "agent/qat/channel_probes.h"
#include "agent/qat/divergence.h"
#include "agent/qat/quantized_model_impl.h"
#include "kernels/base/bit_assignment.h"
#include "kernels/base/check.h"

namespace bitpilot {
namespace {

class Probe {
 public:
  Probe(QuantizedModel::Impl& model, const ImageDataset& images)
      : model_(model),
        expected_(model.Reference(images).logits),
        untrained_(model.UntrainedReference(images)),
        base_(UniformAssignment(model.definition.topology, kMaxBits, kMaxBits)),
        bank_(model.state.bank) {
    ForgetWidths(base_, bank_);
    model_.Prepare(base_, bank_);
    tensors_.resize(model.definition.topology.operations.size() + 1);
    tensors_[0] = model.CalibrationImages(images, model.quantized_pixels);
    base_divergence_ = Divergence(base_, bank_, tensors_, /*first_operation=*/0, /*keep=*/true);
  }

  // Increase of the divergence when only `variable` has `bits`.
  double Increase(const DecisionVariable& variable, int bits) const {
    if (bits == kMaxBits) return 0.0;
    const Topology& topology = model_.definition.topology;
    const BitAssignment assignment = WithWidth(base_, variable, bits);
    StateBank bank = bank_;
    int first_operation = topology.num_operations();
    for (const BitPosition& position : PositionsOf(variable)) {
      const auto index = static_cast<std::size_t>(position.index);
      if (position.kind == PositionKind::kWeights) {
        ForgetAndPrepare(index, ExpandRuns(assignment.weight_bits[index]), bank);
        first_operation = std::min(first_operation, LayerOperations(topology)[index]);
      } else {
        bank.tensors[index][static_cast<std::size_t>(bits - 1)].learned = LearnedStep{};
        // Its producer quantizes it.
        first_operation = std::min(first_operation, position.index - 1);
      }
    }
    std::vector<at::Tensor> tensors = tensors_;  // Shares the tensors before the change.
    return Divergence(assignment, bank, tensors, first_operation, /*keep=*/false) -
           base_divergence_;
  }

 private:
  // Chooses the steps of the channels that do not have the base's width anew from the weights.
  void ForgetAndPrepare(std::size_t layer, const std::vector<int>& bits, StateBank& bank) const {
    for (std::size_t c = 0; c < bits.size(); ++c) {
      if (bits[c] == kMaxBits) continue;
      bank.layers[layer][static_cast<std::size_t>(bits[c] - 1)][c] = LearnedStep{};
    }
    PrepareLayer(bank.layers[layer], Values(model_.state.layers[layer].weight), bits);
  }

  // Runs and calibrates [first_operation, end).
  double Divergence(const BitAssignment& assignment, StateBank& bank,
                    std::vector<at::Tensor>& tensors, int first_operation, bool keep) const {
    return MeanDivergence(
        expected_,
        model_.CalibrateFrom(first_operation, assignment, untrained_, bank, tensors, keep).logits);
  }

  const QuantizedModel::Impl& model_;
  at::Tensor expected_;  // logits of the float network
  const FloatReference* untrained_;
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
