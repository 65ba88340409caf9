#include "experiments/peers/onnx_runtime.h"

#include <dlfcn.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>

#include "experiments/peers/onnx_model.h"

namespace bitpilot {
namespace {

constexpr std::uint32_t kApiVersion = 16;

// Places in OrtApi.
constexpr int kGetErrorMessage = 2;
constexpr int kCreateEnv = 3;
constexpr int kCreateSessionFromArray = 8;
constexpr int kRun = 9;
constexpr int kCreateSessionOptions = 10;
constexpr int kSetGraphOptimizationLevel = 23;
constexpr int kSetIntraOpNumThreads = 24;
constexpr int kSetInterOpNumThreads = 25;
constexpr int kCreateTensorWithData = 49;
constexpr int kCreateCpuMemoryInfo = 69;

// Values of its enumerations.
constexpr int kLogErrors = 3;
constexpr int kEnableAllOptimizations = 99;
constexpr int kDeviceAllocator = 0;
constexpr int kDefaultMemory = 0;
constexpr int kFloat = 1;

// OrtApiBase.
struct ApiBase {
  void** (*get_api)(std::uint32_t version);
  const char* (*version)();
};

[[noreturn]] void Fail(const char* message) {
  std::fprintf(stderr, "ONNX Runtime: %s\n", message);
  std::exit(1);
}

}  // namespace

OnnxRuntime::OnnxRuntime(const std::string& library) {
  void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    Fail(dlerror());
  }
  const auto get_base = reinterpret_cast<const ApiBase* (*)()>(dlsym(handle, "OrtGetApiBase"));
  if (get_base == nullptr) {
    Fail(dlerror());
  }
  version_ = get_base()->version();
  table_ = get_base()->get_api(kApiVersion);
  if (table_ == nullptr) {
    Fail("the library is older than version 1.16");
  }
}

void OnnxRuntime::CheckStatus(void* status) const {
  if (status != nullptr) {
    Fail(reinterpret_cast<const char* (*)(void*)>(table_[kGetErrorMessage])(status));
  }
}

OnnxSession::OnnxSession(const OnnxRuntime& runtime, const std::string& model,
                         std::vector<std::int64_t> image_dims, std::int64_t num_classes,
                         int num_threads)
    : runtime_(runtime), logits_(static_cast<std::size_t>(num_classes)) {
  std::size_t count = 1;
  for (const std::int64_t dim : image_dims) {
    count *= static_cast<std::size_t>(dim);
  }
  image_.assign(count, 0.0F);
  void* environment = nullptr;
  void* options = nullptr;
  runtime.Call(kCreateEnv, kLogErrors, "compare_peers", &environment);
  runtime.Call(kCreateSessionOptions, &options);
  runtime.Call(kSetGraphOptimizationLevel, options, kEnableAllOptimizations);
  runtime.Call(kSetIntraOpNumThreads, options, num_threads);
  runtime.Call(kSetInterOpNumThreads, options, 1);
  runtime.Call(kCreateSessionFromArray, environment, static_cast<const void*>(model.data()),
               model.size(), options, &session_);
  runtime.Call(kCreateCpuMemoryInfo, kDeviceAllocator, kDefaultMemory, &memory_info_);
  input_ = MakeTensor(image_, image_dims);
  output_ = MakeTensor(logits_, {1, num_classes});
}

void* OnnxSession::MakeTensor(std::vector<float>& data, const std::vector<std::int64_t>& dims) {
  void* tensor = nullptr;
  runtime_.Call(kCreateTensorWithData, memory_info_, static_cast<void*>(data.data()),
                data.size() * sizeof(float), dims.data(), dims.size(), kFloat, &tensor);
  return tensor;
}

void OnnxSession::Run() {
  const char* input_names[] = {kOnnxInputName};
  const char* output_names[] = {kOnnxOutputName};
  runtime_.Call(kRun, session_, static_cast<void*>(nullptr), &input_names[0], &input_,
                std::size_t{1}, &output_names[0], std::size_t{1}, &output_);
}

}  // namespace bitpilot
