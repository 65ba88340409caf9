#include "agent/qat/sensitivity.h"

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
    const auto index = static_cast<std::size_t>(variable.index);
    const auto width = static_cast<std::size_t>(bits - 1);
    BitAssignment assignment = base_;
    StateBank bank = bank_;
    int first_operation = 0;
    if (variable.kind == DecisionVariable::Kind::kWeights) {
      std::vector<LearnedStep>& steps = bank.layers[index][width];
      steps.assign(steps.size(), LearnedStep{});
      assignment.weight_bits[index] = {{static_cast<int>(steps.size()), bits}};
      PrepareLayer(bank.layers[index], Values(model_.state.layers[index].weight),
                   ExpandRuns(assignment.weight_bits[index]));
      first_operation = LayerOperations(topology)[index];
    } else {
      bank.tensors[index][width].learned = LearnedStep{};
      assignment.activation_bits[index] = bits;
      first_operation = variable.index - 1;  // Its producer quantizes it.
    }
    std::vector<at::Tensor> tensors = tensors_;  // Shares the tensors before the change.
    return Divergence(assignment, bank, tensors, first_operation, /*keep=*/false) -
           base_divergence_;
  }

 private:
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
  std::vector<std::vector<double>> increases;
  for (const DecisionVariable& variable : variables) {
    std::vector<double>& row = increases.emplace_back();
    for (const int bits : variable.widths) row.push_back(probe.Increase(variable, bits));
    if (progress && !progress(static_cast<int>(increases.size()), variable.name)) {
      return Status(StatusCode::kAborted, "the sensitivity probe was stopped");
    }
  }
  return increases;
}

}  // namespace bitpilot
