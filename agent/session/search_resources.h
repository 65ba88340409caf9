// What a live search works with.
#pragma once

#include "agent/fleet/class_boards.h"
#include "agent/model/image_dataset.h"
#include "agent/qat/quantized_model.h"

namespace bitpilot {

// The images that a search may read. Those of the test range are not among them: they have a way to
// the final comparison only, so that nothing that decides can see them.
struct SearchImages {
  ImageDataset train;
  ImageDataset validation;
};

// All borrowed; a verification has none of them.
struct SearchResources {
  QuantizedModel* model = nullptr;
  ClassBoards* boards = nullptr;
  const SearchImages* data = nullptr;
  const ImageDataset* calibration = nullptr;  // the training images that Calibrate() reads
};

}  // namespace bitpilot
