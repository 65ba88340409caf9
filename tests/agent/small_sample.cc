#include "tests/agent/small_sample.h"

#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

#include "agent/model/image_dataset.h"
#include "agent/model/sample_data.h"
#include "kernels/base/check.h"

namespace bitpilot {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kTrainImages = 128;  // calibration and every reading go through all of them
constexpr std::size_t kHeldOutImages = 160;

// As CIFAR-10's binary version has it.
void WriteRecords(const ImageDataset& data, std::size_t count, const fs::path& path) {
  std::ofstream file(path, std::ios::binary);
  for (std::size_t i = 0; i < count; ++i) {
    const auto pixels = data.image(i);
    file.put(static_cast<char>(data.labels[i]));
    file.write(reinterpret_cast<const char*>(pixels.data()),
               static_cast<std::streamsize>(pixels.size()));
  }
  BITPILOT_CHECK(file.good());
}

void MakeSmallSample(const fs::path& folder) {
  const Result<DataSplits> all = LoadDataSplits("sample");
  BITPILOT_CHECK(all.ok());
  WriteRecords(all->train, kTrainImages, folder / "cifar10_train.bin");
  WriteRecords(all->validation, kHeldOutImages, folder / "cifar10_validation.bin");
  WriteRecords(all->test, kHeldOutImages, folder / "cifar10_test.bin");
  const Result<std::string> weights = ShippedWeightsFile("resnet8");
  BITPILOT_CHECK(weights.ok());
  fs::copy_file(*weights, folder / "resnet8.safetensors");
}

}  // namespace

void UseSmallSample() {
  // Its size is part of its name: a build folder may hold one of another size.
  const fs::path folder =
      fs::path(BITPILOT_BINARY_DIR) / ("small_sample_" + std::to_string(kTrainImages));
  if (!fs::exists(folder)) {
    unsetenv("BITPILOT_DATA_DIR");
    fs::path unfinished = folder;
    unfinished += "." + std::to_string(getpid());
    fs::create_directory(unfinished);
    MakeSmallSample(unfinished);
    std::error_code error;
    fs::rename(unfinished, folder, error);  // fails where another test was faster
    if (error) fs::remove_all(unfinished);
  }
  setenv("BITPILOT_DATA_DIR", folder.c_str(), /*overwrite=*/1);
}

}  // namespace bitpilot
