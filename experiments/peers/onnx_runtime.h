// ONNX Runtime, loaded from a shared library: the peer of our kernels in benchmarks.
//
// Neither Debian nor the npm package has its C header, so the few functions in use are called by
// their places in the table OrtApi, which is append-only (its header promises so).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace bitpilot {

class OnnxRuntime {
 public:
  // Ends the program with a message if `library` cannot be loaded.
  explicit OnnxRuntime(const std::string& library);

  const std::string& version() const { return version_; }

  // The function at `index` of OrtApi, called; a status that is an error ends the program.
  template <class... Args>
  void Call(int index, Args... args) const {
    CheckStatus(reinterpret_cast<void* (*)(Args...)>(table_[index])(args...));
  }

 private:
  void CheckStatus(void* status) const;

  void** table_ = nullptr;
  std::string version_;
};

// One model, ready to run.
class OnnxSession {
 public:
  // `runtime` must outlive it. model: a serialized ModelProto with input and output named as in
  // experiments/peers/onnx_model.h. It starts num_threads - 1 threads, on the CPUs of the calling one.
  OnnxSession(const OnnxRuntime& runtime, const std::string& model,
              std::vector<std::int64_t> image_dims, std::int64_t num_classes, int num_threads);

  // float32 [C, H, W]
  std::vector<float>& image() { return image_; }
  void Run();

 private:
  void* MakeTensor(std::vector<float>& data, const std::vector<std::int64_t>& dims);

  const OnnxRuntime& runtime_;
  std::vector<float> image_;
  std::vector<float> logits_;
  void* memory_info_ = nullptr;  // The library's objects live as long as the program.
  void* session_ = nullptr;
  void* input_ = nullptr;
  void* output_ = nullptr;
};

}  // namespace bitpilot
