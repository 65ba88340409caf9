// What a search's configuration names outside of its study (weights, images, a model board's table),
// where that is, and whether it is still what the study began with.
#pragma once

#include <string>
#include <vector>

#include "agent/model/image_dataset.h"
#include "agent/study/search_config.h"
#include "kernels/base/status.h"

namespace bitpilot {

// The file of the weights that `config` names. Studies of an older bitpilot name the weights that
// ship by a path, which may be another machine's: those are found by their hash.
//
// Errors: ShippedWeightsFile()'s.
Result<std::string> WeightsFile(const SearchConfig& config);

// The same of the teacher's. REQUIRES: config.teacher is not empty.
//
// Errors: ParseTeacher()'s and ShippedWeightsFile()'s.
Result<std::string> TeacherFile(const SearchConfig& config);

// SearchConfig::data_sha256 of these images.
std::string FingerprintOf(const DataSplits& data);

struct InputCheck {
  int num_verified = 0;              // as the study began with them
  int num_without_hash = 0;          // there, but the study recorded no hash
  std::vector<std::string> changed;  // are there, and something else; for people
  std::vector<std::string> missing;  // are not there any more, with how to go on; for people
};

// Reads all of them, and compares their hashes with those that `config` holds.
//
// config: PlacedConfig()'s. study_path: for messages.
InputCheck CheckNamedInputs(const SearchConfig& config, const std::string& study_path);

}  // namespace bitpilot
