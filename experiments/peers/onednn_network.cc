#include "experiments/peers/onednn_network.h"

#include <cstdint>
#include <random>

#include "kernels/base/check.h"

namespace bitpilot {
namespace {

using dnnl::memory;
using DataType = memory::data_type;
using Format = memory::format_tag;

constexpr float kScale = 0.001F;  // Keeps random sums inside 8 bits.

memory::dims Dims(const TensorShape& shape) {
  return {1, shape.channels, shape.height, shape.width};
}

memory::desc Codes(const TensorShape& shape) { return {Dims(shape), DataType::u8, Format::nhwc}; }

}  // namespace

dnnl::cpu_isa OneDnnIsa(Isa isa) {
  switch (isa) {
    case Isa::kAmx:
      return dnnl::cpu_isa::avx512_core_amx;
    case Isa::kAvx512Vnni:
      return dnnl::cpu_isa::avx512_core_vnni;
    case Isa::kAvxVnni:
      return dnnl::cpu_isa::avx2_vnni;
    case Isa::kAvx2:
      return dnnl::cpu_isa::avx2;
    default:
      return dnnl::cpu_isa::sse41;
  }
}

OneDnnNetwork::OneDnnNetwork(const Topology& topology) {
  const std::vector<TensorShape> shapes = TensorShapes(topology);
  image_ = memory({Dims(topology.input), DataType::f32, Format::nhwc}, engine_);
  tensors_.emplace_back(Codes(topology.input), engine_);
  AddReorder(image_, tensors_.front());
  for (int i = 0; i < topology.num_operations(); ++i) {
    const Operation& operation = topology.operations[static_cast<std::size_t>(i)];
    const TensorShape& input = shapes[static_cast<std::size_t>(operation.input)];
    const TensorShape& output = shapes[static_cast<std::size_t>(i) + 1];
    switch (operation.kind) {
      case OperationKind::kConvolution:
        AddConvolution(operation, input, output);
        break;
      case OperationKind::kAveragePool:
        AddPool(operation, output, dnnl::algorithm::pooling_avg_include_padding);
        break;
      case OperationKind::kMaxPool:
        AddPool(operation, output, dnnl::algorithm::pooling_max);
        break;
      case OperationKind::kFullyConnected:
        AddFullyConnected(operation, input);
        break;
      default:
        BITPILOT_CHECK(!"an operation that this benchmark's networks do not have");
    }
  }
}

void OneDnnNetwork::Run() {
  for (const auto& [primitive, arguments] : steps_) {
    primitive.execute(stream_, arguments);
  }
  stream_.wait();
}

void OneDnnNetwork::AddReorder(const memory& from, const memory& to) {
  steps_.push_back({dnnl::reorder(from, to), {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}}});
}

memory OneDnnNetwork::MakeWeights(const memory::desc& description) {
  memory weights(description, engine_);
  std::mt19937 random(1);
  auto* bytes = static_cast<std::uint8_t*>(weights.get_data_handle());
  for (std::size_t i = 0; i < description.get_size(); ++i) {
    bytes[i] = static_cast<std::uint8_t>(random() % 15);
  }
  return weights;
}

void OneDnnNetwork::AddConvolution(const Operation& operation, const TensorShape& input,
                                   const TensorShape& output) {
  dnnl::post_ops post_ops;
  if (operation.residual >= 0) {
    post_ops.append_sum(1.0F);
  }
  if (operation.activation != Activation::kNone) {
    post_ops.append_eltwise(1.0F, dnnl::algorithm::eltwise_relu, 0.0F, 0.0F);
  }
  dnnl::primitive_attr attributes;
  attributes.set_post_ops(post_ops);
  attributes.set_output_scales(
      2, std::vector<float>(static_cast<std::size_t>(operation.out_channels), kScale));
  const int groups = operation.groups;
  memory::dims filter = {operation.out_channels / groups, input.channels / groups,
                         operation.kernel_h, operation.kernel_w};
  if (groups > 1) {
    filter.insert(filter.begin(), groups);
  }
  const dnnl::convolution_forward::desc description(
      dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct, Codes(input),
      {filter, DataType::s8, Format::any}, {{operation.out_channels}, DataType::s32, Format::x},
      Codes(output), {operation.stride_h, operation.stride_w},
      {operation.padding.top, operation.padding.left},
      {operation.padding.bottom, operation.padding.right});
  const dnnl::convolution_forward::primitive_desc primitive(description, attributes, engine_);
  // The sum is taken in place: the shortcut's tensor becomes the output.
  tensors_.push_back(operation.residual >= 0
                         ? tensors_[static_cast<std::size_t>(operation.residual)]
                         : memory(primitive.dst_desc(), engine_));
  steps_.push_back({dnnl::convolution_forward(primitive),
                    {{DNNL_ARG_SRC, tensors_[static_cast<std::size_t>(operation.input)]},
                     {DNNL_ARG_WEIGHTS, MakeWeights(primitive.weights_desc())},
                     {DNNL_ARG_BIAS, MakeWeights(primitive.bias_desc())},
                     {DNNL_ARG_DST, tensors_.back()}}});
}

void OneDnnNetwork::AddPool(const Operation& operation, const TensorShape& output,
                            dnnl::algorithm algorithm) {
  const memory input = tensors_[static_cast<std::size_t>(operation.input)];
  const dnnl::pooling_forward::primitive_desc primitive(
      {dnnl::prop_kind::forward_inference,
       algorithm,
       input.get_desc(),
       Codes(output),
       {operation.stride_h, operation.stride_w},
       {operation.kernel_h, operation.kernel_w},
       {operation.padding.top, operation.padding.left},
       {operation.padding.bottom, operation.padding.right}},
      engine_);
  tensors_.emplace_back(primitive.dst_desc(), engine_);
  steps_.push_back(
      {dnnl::pooling_forward(primitive), {{DNNL_ARG_SRC, input}, {DNNL_ARG_DST, tensors_.back()}}});
}

void OneDnnNetwork::AddFullyConnected(const Operation& operation, const TensorShape& input) {
  const memory source = tensors_[static_cast<std::size_t>(operation.input)];
  const memory flat({{1, input.elements()}, DataType::u8, Format::nc}, engine_,
                    source.get_data_handle());
  dnnl::primitive_attr attributes;
  attributes.set_output_scales(0, {kScale});
  const dnnl::inner_product_forward::primitive_desc primitive(
      {dnnl::prop_kind::forward_inference,
       flat.get_desc(),
       {{operation.out_channels, input.elements()}, DataType::s8, Format::any},
       {{operation.out_channels}, DataType::f32, Format::x},
       {{1, operation.out_channels}, DataType::f32, Format::nc}},
      attributes, engine_);
  tensors_.emplace_back(primitive.dst_desc(), engine_);
  steps_.push_back({dnnl::inner_product_forward(primitive),
                    {{DNNL_ARG_SRC, flat},
                     {DNNL_ARG_WEIGHTS, MakeWeights(primitive.weights_desc())},
                     {DNNL_ARG_BIAS, MakeWeights(primitive.bias_desc())},
                     {DNNL_ARG_DST, tensors_.back()}}});
}

}  // namespace bitpilot
