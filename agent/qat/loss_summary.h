// Mean loss over images, and how sure it is.
#pragma once

#include <span>

#include "agent/qat/quantized_model.h"

namespace bitpilot {

// Standard error of the mean: the sample's standard deviation / sqrt(n), 0 of fewer than two values.
double StandardErrorOfMean(std::span<const double> values);

// Sets evaluation.losses to `losses` (one an image, nats), evaluation.loss to their mean and
// evaluation.loss_error to its standard error.
void SummarizeLosses(std::span<const double> losses, Evaluation& evaluation);

}  // namespace bitpilot
