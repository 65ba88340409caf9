#include "agent/qat/divergence.h"

#include <cmath>

#include "agent/qat/quantized_model_impl.h"
#include "kernels/base/check.h"

namespace bitpilot {

double MeanDivergence(const at::Tensor& expected, const at::Tensor& got) {
  const torch::NoGradGuard no_gradient;
  const at::Tensor p = at::log_softmax(expected.to(torch::kFloat64), 1);
  const at::Tensor q = at::log_softmax(got.to(torch::kFloat64), 1);
  return (p.exp() * (p - q)).sum(1).mean().item<double>();
}

Result<std::vector<std::optional<double>>> QuantizedModel::Divergences(
    const ImageDataset& images, std::span<const BitAssignment> assignments,
    const std::function<bool()>& stop) {
  BITPILOT_RETURN_IF_ERROR(impl_->CheckImages(images));
  const at::Tensor expected = impl_->Reference(images).logits;
  const at::Tensor pixels = impl_->CalibrationImages(images, impl_->quantized_pixels);
  std::vector<std::optional<double>> divergences;
  for (const BitAssignment& assignment : assignments) {
    if (stop && stop()) return Status(StatusCode::kAborted, "the probe was stopped");
    BITPILOT_RETURN_IF_ERROR(ValidateAssignment(impl_->definition.topology, assignment));
    StateBank bank = impl_->state.bank;
    impl_->Prepare(assignment, bank);
    std::vector<at::Tensor> tensors(assignment.activation_bits.size() + 1);
    tensors[0] = pixels;
    const Impl::Calibration calibration = impl_->CalibrateFrom(
        0, assignment, impl_->UntrainedReference(images), bank, tensors, /*keep=*/false);
    std::optional<double> divergence;
    if (calibration.is_finite) divergence = MeanDivergence(expected, calibration.logits);
    if (divergence && !std::isfinite(*divergence)) divergence.reset();
    divergences.push_back(divergence);
  }
  return divergences;
}

}  // namespace bitpilot
