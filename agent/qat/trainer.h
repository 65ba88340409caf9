// Training at one bit assignment: quantized forward pass, distillation, Adam.
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <vector>

#include "agent/qat/layer_tensors.h"
#include "agent/qat/operation_runner.h"
#include "agent/qat/state_bank.h"
#include "kernels/base/bit_assignment.h"
#include "kernels/base/topology.h"

namespace bitpilot {

// The state of the widths in use, taken out of the bank into tensors that LibTorch can
// differentiate, and the network over them.
//
// Reads and updates `layers` in place; their parameters require gradients while this object lives.
class TrainingNetwork : public OperationHooks {
 public:
  // REQUIRES: PrepareLayer() and PrepareTensor() succeeded for everything in `assignment`. All
  // references outlive the object.
  TrainingNetwork(const Topology& topology, std::vector<LayerTensors>& layers,
                  std::vector<AdamMoments>& moments, const BitAssignment& assignment,
                  StateBank& bank);
  ~TrainingNetwork() override;
  TrainingNetwork(const TrainingNetwork&) = delete;
  TrainingNetwork& operator=(const TrainingNetwork&) = delete;

  at::Tensor RunLayer(int operation, const at::Tensor& input) override;
  at::Tensor Store(int tensor, at::Tensor value) override;

  // One Adam update of weights and step sizes from the gradients that backward() left; clears them.
  void Update(double learning_rate);

 private:
  struct ActiveLayer {
    std::vector<int> bits;  // [O]
    at::Tensor steps;       // [O], leaf
  };
  void UpdateWeights(double learning_rate);
  void UpdateSteps(double learning_rate);

  const Topology& topology_;
  std::vector<LayerTensors>& layers_;
  std::vector<AdamMoments>& moments_;
  const BitAssignment& assignment_;
  StateBank& bank_;
  std::vector<int> layer_of_operation_;
  std::vector<ActiveLayer> active_;
  // [num_stored_tensors], leaves [1]; the input's is undefined.
  std::vector<at::Tensor> tensor_steps_;
};

// 0.5 cross entropy + 0.5 KL(teacher || student) at temperature 2, times 4 so that its gradients
// keep their size (Hinton et al., "Distilling the Knowledge in a Neural Network", 2015, section 2).
// Without a teacher (undefined): the cross entropy.
at::Tensor DistillationLoss(const at::Tensor& logits, const at::Tensor& labels,
                            const at::Tensor& teacher_logits);

// One zeroed AdamMoments for every parameter of every layer, in order.
std::vector<AdamMoments> ZeroMoments(const std::vector<LayerTensors>& layers);

}  // namespace bitpilot
