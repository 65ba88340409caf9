// How much each width of each variable costs: the probe behind a search's warm start.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "agent/model/image_dataset.h"
#include "agent/qat/quantized_model.h"
#include "kernels/base/status.h"
#include "policies/search_problem.h"

namespace bitpilot {

// Called after each variable (or each layer, where its channels are probed together) with the number
// of variables done so far and the name; false stops the probe.
using ProbeProgress = std::function<bool(int done, const std::string& name)>;

// For every variable and each of its widths: the increase of the mean divergence KL(float ||
// quantized) over the all-8-bit network, in nats, when only that variable has that width.
// Post-training: the layers after the change are calibrated anew each time, and nothing is trained.
// Slightly negative where the width does no harm. 8 bits give exactly 0.
//
// The time is bounded by the number of layers and tensors, not of channels: where more than
// kMaxChannelProbes variables are of channels (agent/qat/channel_probes.h), each layer is probed as a
// whole and its channels get shares of that.
//
// images: the first kCalibrationImages count; labels are not read.   Returns values parallel to
// variables[i].widths. `model` keeps its assignment and state. Deterministic. Costs one forward
// pass at most for each width of what is probed.
//
// Errors: kAborted once `progress` returned false.
//
// REQUIRES: `images` is not empty; the variables are legal for the model's topology.
Result<std::vector<std::vector<double>>> ProbeSensitivity(
    QuantizedModel& model, const ImageDataset& images,
    const std::vector<DecisionVariable>& variables, const ProbeProgress& progress = {});

}  // namespace bitpilot
