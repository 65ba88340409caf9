#include "experiments/peers/onnx_model.h"

#include <onnx/onnx_pb.h>

#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "kernels/base/check.h"

namespace bitpilot {
namespace {

constexpr int kOperatorSet = 13;
constexpr int kIrVersion = 7;
constexpr float kImageScale = 1.0F;
constexpr float kActivationScale = 1.0F / 32.0F;
constexpr float kWeightScale = 1.0F / 1024.0F;

class ModelWriter {
 public:
  explicit ModelWriter(const Topology& topology)
      : topology_(topology), shapes_(TensorShapes(topology)) {
    model_.set_ir_version(kIrVersion);
    model_.add_opset_import()->set_version(kOperatorSet);
    graph_ = model_.mutable_graph();
    graph_->set_name(topology.name);
    const TensorShape& image = topology.input;
    AddPort(graph_->add_input(), kOnnxInputName, {1, image.channels, image.height, image.width});
    AddPort(graph_->add_output(), kOnnxOutputName, {1, topology.operations.back().out_channels});
    AddBytes("unsigned_zero", onnx::TensorProto::UINT8, {}, std::string(1, '\0'));
    AddBytes("middle_zero", onnx::TensorProto::UINT8, {}, std::string(1, '\x80'));
  }

  std::string Write() {
    values_.push_back(Quantized(kOnnxInputName, kImageScale, /*has_negatives=*/false));
    for (const Operation& operation : topology_.operations) {
      AddOperation(operation);
    }
    AddNode("Identity", {values_.back()}, kOnnxOutputName);
    return model_.SerializeAsString();
  }

 private:
  static void AddPort(onnx::ValueInfoProto* port, const std::string& name,
                      const std::vector<std::int64_t>& dims) {
    port->set_name(name);
    onnx::TypeProto::Tensor* type = port->mutable_type()->mutable_tensor_type();
    type->set_elem_type(onnx::TensorProto::FLOAT);
    for (const std::int64_t dim : dims) {
      type->mutable_shape()->add_dim()->set_dim_value(dim);
    }
  }

  void AddBytes(const std::string& name, onnx::TensorProto::DataType type,
                const std::vector<std::int64_t>& dims, std::string bytes) {
    onnx::TensorProto* tensor = graph_->add_initializer();
    tensor->set_name(name);
    tensor->set_data_type(type);
    for (const std::int64_t dim : dims) {
      tensor->add_dims(dim);
    }
    tensor->set_raw_data(std::move(bytes));
  }

  void AddFloats(const std::string& name, const std::vector<std::int64_t>& dims, float value) {
    const std::vector<float> values(dims.empty() ? 1 : static_cast<std::size_t>(dims.front()),
                                    value);
    AddBytes(
        name, onnx::TensorProto::FLOAT, dims,
        std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)));
  }

  onnx::NodeProto* AddNode(const std::string& type, const std::vector<std::string>& inputs,
                           const std::string& output) {
    onnx::NodeProto* node = graph_->add_node();
    node->set_op_type(type);
    for (const std::string& input : inputs) {
      node->add_input(input);
    }
    node->add_output(output);
    return node;
  }

  static void AddInts(onnx::NodeProto* node, const char* name,
                      const std::vector<std::int64_t>& values) {
    onnx::AttributeProto* attribute = node->add_attribute();
    attribute->set_name(name);
    attribute->set_type(onnx::AttributeProto::INTS);
    for (const std::int64_t value : values) {
      attribute->add_ints(value);
    }
  }

  static void AddInt(onnx::NodeProto* node, const char* name, std::int64_t value) {
    onnx::AttributeProto* attribute = node->add_attribute();
    attribute->set_name(name);
    attribute->set_type(onnx::AttributeProto::INT);
    attribute->set_i(value);
  }

  // `value` through a quantizer and back; the name of what comes out.
  std::string Quantized(const std::string& value, float scale, bool has_negatives) {
    const std::string zero = has_negatives ? "middle_zero" : "unsigned_zero";
    AddFloats(value + "_scale", {}, scale);
    AddNode("QuantizeLinear", {value, value + "_scale", zero}, value + "_codes");
    AddNode("DequantizeLinear", {value + "_codes", value + "_scale", zero}, value + "_real");
    return value + "_real";
  }

  // int8 weights and int32 biases, dequantized by channel; their names.
  std::vector<std::string> AddWeights(const Operation& operation,
                                      const std::vector<std::int64_t>& dims) {
    std::size_t count = 1;
    for (const std::int64_t dim : dims) {
      count *= static_cast<std::size_t>(dim);
    }
    std::string codes(count, '\0');
    for (char& code : codes) {
      code = static_cast<char>(static_cast<int>(random_() % 255) - 127);
    }
    const std::int64_t channels = dims.front();
    const auto num_channels = static_cast<std::size_t>(channels);
    AddDequantized(operation.name + "_weight", onnx::TensorProto::INT8, dims, std::move(codes),
                   std::string(num_channels, '\0'), kWeightScale);
    AddDequantized(operation.name + "_bias", onnx::TensorProto::INT32, {channels},
                   std::string(num_channels * sizeof(std::int32_t), '\0'),
                   std::string(num_channels * sizeof(std::int32_t), '\0'),
                   kWeightScale * InputScale(operation));
    return {operation.name + "_weight", operation.name + "_bias"};
  }

  void AddDequantized(const std::string& name, onnx::TensorProto::DataType type,
                      const std::vector<std::int64_t>& dims, std::string codes, std::string zeros,
                      float scale) {
    AddBytes(name + "_codes", type, dims, std::move(codes));
    AddFloats(name + "_scale", {dims.front()}, scale);
    AddBytes(name + "_zero", type, {dims.front()}, std::move(zeros));
    AddInt(AddNode("DequantizeLinear", {name + "_codes", name + "_scale", name + "_zero"}, name),
           "axis", 0);
  }

  static float InputScale(const Operation& operation) {
    return operation.input == 0 ? kImageScale : kActivationScale;
  }

  void AddWindow(onnx::NodeProto* node, const Operation& operation) {
    AddInts(node, "kernel_shape", {operation.kernel_h, operation.kernel_w});
    AddInts(node, "strides", {operation.stride_h, operation.stride_w});
    const Padding& padding = operation.padding;
    AddInts(node, "pads", {padding.top, padding.left, padding.bottom, padding.right});
  }

  const std::string& Value(int tensor) const { return values_[static_cast<std::size_t>(tensor)]; }

  void AddOperation(const Operation& operation) {
    const std::string& input = Value(operation.input);
    const TensorShape& shape = shapes_[static_cast<std::size_t>(operation.input)];
    std::string output = operation.name + "_out";
    switch (operation.kind) {
      case OperationKind::kConvolution: {
        const std::vector<std::string> weights =
            AddWeights(operation, {operation.out_channels, shape.channels / operation.groups,
                                   operation.kernel_h, operation.kernel_w});
        onnx::NodeProto* node = AddNode("Conv", {input, weights[0], weights[1]}, output);
        AddWindow(node, operation);
        AddInt(node, "group", operation.groups);
        break;
      }
      case OperationKind::kFullyConnected: {
        AddInt(AddNode("Flatten", {input}, output + "_flat"), "axis", 1);
        const std::string flat =
            Quantized(output + "_flat", kActivationScale, /*has_negatives=*/false);
        const std::vector<std::string> weights =
            AddWeights(operation, {operation.out_channels, shape.elements()});
        AddInt(AddNode("Gemm", {flat, weights[0], weights[1]}, output), "transB", 1);
        break;
      }
      case OperationKind::kAveragePool:
        BITPILOT_CHECK(operation.kernel_h == shape.height && operation.kernel_w == shape.width);
        AddNode("GlobalAveragePool", {input}, output);
        break;
      case OperationKind::kMaxPool:
        AddWindow(AddNode("MaxPool", {input}, output), operation);
        break;
      default:
        BITPILOT_CHECK(!"an operation that this benchmark's networks do not have");
    }
    AddResidualAndActivation(operation, std::move(output));
  }

  void AddResidualAndActivation(const Operation& operation, std::string output) {
    if (operation.residual >= 0) {
      const std::string real = Quantized(output, kActivationScale, /*has_negatives=*/true);
      output += "_sum";
      AddNode("Add", {real, Value(operation.residual)}, output);
    }
    // The quantizer's range clips at 6 as at any other value: one more node would only slow it.
    const bool clips = operation.activation != Activation::kNone;
    if (clips) {
      AddNode("Relu", {output}, output + "_relu");
      output += "_relu";
    }
    const bool has_negatives = !clips && operation.kind != OperationKind::kAveragePool &&
                               operation.kind != OperationKind::kMaxPool;
    values_.push_back(Quantized(output, kActivationScale, has_negatives));
  }

  const Topology& topology_;
  const std::vector<TensorShape> shapes_;
  onnx::ModelProto model_;
  onnx::GraphProto* graph_ = nullptr;
  std::vector<std::string> values_;  // Of each tensor: the name behind its quantizer.
  std::mt19937 random_{1};
};

}  // namespace

std::string MakeOnnxModel(const Topology& topology) { return ModelWriter(topology).Write(); }

}  // namespace bitpilot
