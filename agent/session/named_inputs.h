// What a search's configuration names outside of its study (weights, images, a model board's table),
// where that is, and whether it is still what the study began with.
#pragma once

#include <string>
#include <vector>

#include "agent/model/image_dataset.h"
#include "agent/model/model_definition.h"
#include "agent/study/search_config.h"
#include "kernels/base/status.h"

namespace bitpilot {

// The file of the weights that `config` names. Studies of an older bitpilot name the weights that
// ship by a path, which may be another machine's: those are found by their hash.
//
// Errors: ShippedWeightsFile()'s.
Result<std::string> WeightsFile(const SearchConfig& config);

// The same of a teacher's.
//
// Errors: ShippedWeightsFile()'s.
Result<std::string> TeacherFile(const Teacher& teacher);

// A larger network to distil from.
struct FoundTeacher {
  ModelDefinition definition;
  std::string weights;  // the file
};

// What --teacher's "MODEL:WEIGHTS" names.
//
// Errors: ParseTeacher()'s, FindModel()'s and ShippedWeightsFile()'s; names the flag.
Result<FoundTeacher> FindTeacher(const std::string& text);

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
