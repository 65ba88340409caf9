#include "agent/session/named_inputs.h"

#include <functional>
#include <utility>

#include "agent/device/local_board.h"
#include "agent/model/sample_data.h"
#include "kernels/base/file_io.h"
#include "kernels/base/sha256.h"

namespace bitpilot {
namespace {

Result<std::string> HashOfFile(const Result<std::string>& path) {
  if (!path.ok()) return path.status();
  const Result<std::string> bytes = ReadFile(*path);
  if (!bytes.ok()) return bytes.status();
  return Sha256Hex(*bytes);
}

struct Input {
  std::string flag;      // "--weights"
  std::string name;      // as the study has it: a path, "shipped", "sample"
  std::string path;      // where that is, if it is a path
  std::string recorded;  // its hash; empty: none
  std::function<Result<std::string>()> hash;
};

std::vector<Input> InputsOf(const SearchConfig& config) {
  std::vector<Input> inputs;
  inputs.push_back({"--weights", config.weights, config.weights, config.weights_sha256,
                    [&config] { return HashOfFile(WeightsFile(config)); }});
  inputs.push_back(
      {"--data", config.data, config.data, config.data_sha256, [&config]() -> Result<std::string> {
         const Result<DataSplits> data = LoadDataSplits(config.data);
         if (!data.ok()) return data.status();
         return FingerprintOf(*data);
       }});
  if (!config.teacher.empty()) {
    const Result<Teacher> teacher = ParseTeacher(config.teacher);
    inputs.push_back({"--teacher", config.teacher, teacher.ok() ? teacher->weights : std::string(),
                      config.teacher_sha256, [teacher] {
                        return HashOfFile(teacher.ok() ? TeacherFile(*teacher) : teacher.status());
                      }});
  }
  constexpr std::string_view kModel = "model:";
  if (config.fleet.empty() && config.device.starts_with(kModel)) {
    inputs.push_back({"--device", config.device, config.device.substr(kModel.size()),
                      config.device_sha256, [&config] { return DeviceSha256(config.device); }});
  }
  return inputs;
}

}  // namespace

Result<std::string> WeightsFile(const SearchConfig& config) {
  if (config.weights.empty() || config.weights == kShippedWeights) {
    return ShippedWeightsFile(config.model);
  }
  if (CheckIsThere(config.weights).ok()) return config.weights;
  Result<std::string> shipped = ShippedWeightsFile(config.model);
  if (!config.weights_sha256.empty() && shipped.ok()) {
    const Result<std::string> bytes = ReadFile(*shipped);
    if (bytes.ok() && Sha256Hex(*bytes) == config.weights_sha256) return shipped;
  }
  return config.weights;
}

Result<std::string> TeacherFile(const Teacher& teacher) {
  if (teacher.weights == kShippedWeights) return ShippedWeightsFile(teacher.model);
  return teacher.weights;
}

Result<FoundTeacher> FindTeacher(const std::string& text) {
  const Result<Teacher> teacher = ParseTeacher(text);
  if (!teacher.ok()) return teacher.status();
  Result<ModelDefinition> definition = FindModel(teacher->model);
  if (!definition.ok()) return definition.status().WithContext("--teacher");
  Result<std::string> weights = TeacherFile(*teacher);
  if (!weights.ok()) return weights.status().WithContext("--teacher");
  return FoundTeacher{std::move(*definition), std::move(*weights)};
}

std::string FingerprintOf(const DataSplits& data) {
  return Sha256Hex(data.train.Fingerprint() + data.validation.Fingerprint() +
                   data.test.Fingerprint());
}

InputCheck CheckNamedInputs(const SearchConfig& config, const std::string& study_path) {
  InputCheck check;
  for (const Input& input : InputsOf(config)) {
    const std::string what = input.flag + " " + input.name;
    const Result<std::string> hash = input.hash();
    if (!hash.ok()) {
      if (hash.status().code() != StatusCode::kNotFound && CheckIsThere(input.path).ok()) {
        check.changed.push_back(what + " cannot be read: " + hash.status().message());
        continue;
      }
      check.missing.push_back(what + " is not there any more (" + hash.status().message() +
                              "): it or the study has moved. The study has its hash: `bitpilot "
                              "search --study " +
                              study_path + " --resume " + input.flag +
                              " ...` goes on with it where it is now");
    } else if (input.recorded.empty()) {
      ++check.num_without_hash;
    } else if (*hash != input.recorded) {
      check.changed.push_back(what + " is not what the study began with: expected SHA-256 " +
                              input.recorded + ", got " + *hash);
    } else {
      ++check.num_verified;
    }
  }
  return check;
}

}  // namespace bitpilot
