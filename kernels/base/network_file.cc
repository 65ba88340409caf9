// Field order of the body, version 1 (u8, u16, u32, i32, f32 little-endian; text = u16 length +
// bytes):
//
//   text name; u32 height, width, channels; u32 number of operations
//   each operation: u8 kind; text name; i32 input, residual;
//     u32 out_channels, kernel_h, kernel_w, stride_h, stride_w,
//         padding top, left, bottom, right, groups, pad_channels_before; u8 activation
//   each stored tensor: u8 bits, zero_point; f32 scale
//   each operation: f32 residual_scale; u8 code_min, code_max; f32 scale[O]; f32 bias[O]
//   u8 input_codes[256 * channels]
//   each operation with weights: u8 channel_bits[O]; packed channels
#include "kernels/base/network_file.h"

#include <cstring>

#include "kernels/base/byte_stream.h"
#include "kernels/base/dense_codes.h"
#include "kernels/base/file_io.h"
#include "kernels/base/sha256.h"

namespace bitpilot {
namespace {

constexpr std::string_view kMagic = "BPNET1\r\n";
constexpr std::string_view kMagicWithoutVersion = "BPNET";
constexpr std::size_t kHeaderSize = 16;
constexpr std::size_t kDigestSize = 32;
// Bytes of an operation besides its name: bounds the number of operations before they are
// allocated.
constexpr std::size_t kOperationSize = 1 + 2 + 13 * 4 + 1;

// Bytes of one packed channel.
std::size_t PackedBytes(std::size_t depth, int bits) {
  return (depth * static_cast<std::size_t>(bits) + 7) / 8;
}

Status EndsEarly(std::string_view what) {
  return DataCorrupt("network file: the body ends inside " + std::string(what));
}

void WriteTopology(const Topology& topology, ByteWriter& writer) {
  writer.Text(topology.name);
  writer.I32(topology.input.height);
  writer.I32(topology.input.width);
  writer.I32(topology.input.channels);
  writer.I32(topology.num_operations());
  for (const Operation& op : topology.operations) {
    writer.U8(static_cast<int>(op.kind));
    writer.Text(op.name);
    for (const int field :
         {op.input, op.residual, op.out_channels, op.kernel_h, op.kernel_w, op.stride_h,
          op.stride_w, op.padding.top, op.padding.left, op.padding.bottom, op.padding.right,
          op.groups, op.pad_channels_before}) {
      writer.I32(field);
    }
    writer.U8(static_cast<int>(op.activation));
  }
}

Operation ReadOperation(ByteReader& reader) {
  Operation op;
  op.kind = static_cast<OperationKind>(reader.U8());
  op.name = reader.Text();
  for (int* field : {&op.input, &op.residual, &op.out_channels, &op.kernel_h, &op.kernel_w,
                     &op.stride_h, &op.stride_w, &op.padding.top, &op.padding.left,
                     &op.padding.bottom, &op.padding.right, &op.groups, &op.pad_channels_before}) {
    *field = reader.I32();
  }
  op.activation = static_cast<Activation>(reader.U8());
  return op;
}

Result<Topology> ReadTopology(ByteReader& reader) {
  Topology topology;
  topology.name = reader.Text();
  topology.input.height = reader.I32();
  topology.input.width = reader.I32();
  topology.input.channels = reader.I32();
  const int num_operations = reader.I32();
  if (!reader.ok()) return EndsEarly("the topology");
  if (num_operations < 0 ||
      static_cast<std::size_t>(num_operations) > reader.remaining() / kOperationSize) {
    return EndsEarly(std::to_string(num_operations) + " operations");
  }
  topology.operations.reserve(static_cast<std::size_t>(num_operations));
  for (int i = 0; i < num_operations; ++i) {
    topology.operations.push_back(ReadOperation(reader));
    if (!reader.ok()) return EndsEarly("operation " + std::to_string(i));
  }
  BITPILOT_RETURN_IF_ERROR(ValidateTopology(topology));
  return topology;
}

void WriteOutputStage(const OutputStage& stage, ByteWriter& writer) {
  writer.F32(stage.residual_scale);
  writer.U8(stage.code_min);
  writer.U8(stage.code_max);
  for (const float scale : stage.scale) writer.F32(scale);
  for (const float bias : stage.bias) writer.F32(bias);
}

Status ReadOutputStage(ByteReader& reader, int out_channels, OutputStage& stage) {
  stage.residual_scale = reader.F32();
  stage.code_min = reader.U8();
  stage.code_max = reader.U8();
  const auto count = static_cast<std::size_t>(out_channels);
  if (!reader.ok() || count * 8 > reader.remaining()) return EndsEarly("the scales");
  for (std::size_t c = 0; c < count; ++c) stage.scale.push_back(reader.F32());
  for (std::size_t c = 0; c < count; ++c) stage.bias.push_back(reader.F32());
  return Status();
}

// Appends one channel. A field is the low `bits` bits of the two's complement code; 1-bit weights
// store +1 as 1.
void PackChannel(const std::int8_t* codes, std::size_t depth, int bits, std::string& bytes) {
  std::uint32_t pending = 0;
  int pending_bits = 0;
  for (std::size_t i = 0; i < depth; ++i) {
    const auto field = bits == 1 ? static_cast<std::uint32_t>(codes[i] > 0)
                                 : static_cast<std::uint32_t>(codes[i]) & ((1U << bits) - 1);
    pending |= field << pending_bits;
    for (pending_bits += bits; pending_bits >= 8; pending_bits -= 8) {
      bytes += static_cast<char>(pending);
      pending >>= 8;
    }
  }
  if (pending_bits > 0) bytes += static_cast<char>(pending);
}

// Appends the codes of one channel; false if the bits that fill the last byte are not zero.
bool UnpackChannel(std::string_view bytes, std::size_t depth, int bits,
                   std::vector<std::int8_t>& codes) {
  std::uint32_t pending = 0;
  int pending_bits = 0;
  std::size_t next = 0;
  for (std::size_t i = 0; i < depth; ++i) {
    if (pending_bits < bits) {
      pending |= static_cast<std::uint32_t>(static_cast<std::uint8_t>(bytes[next++]))
                 << pending_bits;
      pending_bits += 8;
    }
    const auto field = static_cast<int>(pending & ((1U << bits) - 1));
    pending >>= bits;
    pending_bits -= bits;
    const int sign_bit = 1 << (bits - 1);
    const int code = bits == 1 ? 2 * field - 1 : (field ^ sign_bit) - sign_bit;
    codes.push_back(static_cast<std::int8_t>(code));
  }
  return pending == 0;
}

void WriteWeights(const LayerWeights& weights, std::size_t depth, ByteWriter& writer) {
  writer.Bytes(weights.channel_bits);
  const std::int8_t* codes = weights.codes.data();
  for (const int bits : weights.channel_bits) {
    if (bits == 0) continue;
    PackChannel(codes, depth, bits, writer.bytes());
    codes += depth;
  }
}

Status ReadWeights(ByteReader& reader, int out_channels, std::size_t depth, LayerWeights& weights) {
  const std::string_view channel_bits = reader.Bytes(static_cast<std::size_t>(out_channels));
  if (!reader.ok()) return EndsEarly("the weights' widths");
  std::size_t packed_bytes = 0;
  for (const char byte : channel_bits) {
    const auto bits = static_cast<std::uint8_t>(byte);
    if (bits > 8) {
      return InvalidArgument("weight bits must be in [0, 8], got " + std::to_string(bits));
    }
    packed_bytes += PackedBytes(depth, bits);
  }
  if (packed_bytes > reader.remaining()) return EndsEarly("the weights");
  weights.channel_bits.assign(channel_bits.begin(), channel_bits.end());
  // At most 8 codes a byte that is there: pruned channels, of which the file says next to nothing,
  // have none.
  weights.codes.reserve(NumStoredChannels(weights, weights.channel_bits.size()) * depth);
  for (const int bits : weights.channel_bits) {
    if (bits == 0) continue;
    if (!UnpackChannel(reader.Bytes(PackedBytes(depth, bits)), depth, bits, weights.codes)) {
      return InvalidArgument("the bits that fill a channel's last byte must be 0");
    }
  }
  return Status();
}

Result<Network> ReadBody(std::string_view body) {
  ByteReader reader(body);
  Result<Topology> topology = ReadTopology(reader);
  if (!topology.ok()) return topology.status();
  Network network;
  network.topology = std::move(topology).value();
  const std::vector<Operation>& operations = network.topology.operations;
  for (std::size_t t = 0; t < operations.size(); ++t) {
    TensorQuantization tensor;
    tensor.bits = reader.U8();
    tensor.zero_point = reader.U8();
    tensor.scale = reader.F32();
    network.tensors.push_back(tensor);
  }
  if (!reader.ok()) return EndsEarly("the tensors");
  network.operations.resize(operations.size());
  for (std::size_t i = 0; i < operations.size(); ++i) {
    BITPILOT_RETURN_IF_ERROR(
        ReadOutputStage(reader, operations[i].out_channels, network.operations[i].output)
            .WithContext("operation " + operations[i].name));
  }
  const std::string_view input_codes =
      reader.Bytes(std::size_t{256} * static_cast<std::size_t>(network.topology.input.channels));
  if (!reader.ok()) return EndsEarly("the input codes");
  network.input_codes.assign(input_codes.begin(), input_codes.end());
  for (const int layer : LayerOperations(network.topology)) {
    const auto i = static_cast<std::size_t>(layer);
    const auto depth = static_cast<std::size_t>(WeightDepth(network.topology, layer));
    BITPILOT_RETURN_IF_ERROR(
        ReadWeights(reader, operations[i].out_channels, depth, network.operations[i].weights)
            .WithContext("operation " + operations[i].name));
  }
  if (reader.remaining() > 0) {
    return DataCorrupt("network file: " + std::to_string(reader.remaining()) +
                       " bytes follow the last weight of the body");
  }
  BITPILOT_RETURN_IF_ERROR(ValidateNetwork(network));
  return network;
}

Status CheckMagic(std::string_view bytes) {
  if (bytes.starts_with(kMagic)) return Status();
  if (!bytes.starts_with(kMagicWithoutVersion)) {
    return DataCorrupt("network file: must start with \"BPNET\"");
  }
  const char version = bytes.size() > 5 ? bytes[5] : '\0';
  if (version >= '0' && version <= '9' && version != '1') {
    return Status(StatusCode::kVersionMismatch, std::string("network file: version ") + version +
                                                    ", this program reads version 1");
  }
  return DataCorrupt("network file: the first 8 bytes are damaged, as a copy in text mode does");
}

}  // namespace

std::string SerializeNetwork(const Network& network) {
  BITPILOT_CHECK(ValidateNetwork(network).ok());
  ByteWriter body;
  WriteTopology(network.topology, body);
  for (const TensorQuantization& tensor : network.tensors) {
    body.U8(tensor.bits);
    body.U8(tensor.zero_point);
    body.F32(tensor.scale);
  }
  for (const QuantizedOperation& op : network.operations) WriteOutputStage(op.output, body);
  body.Bytes(network.input_codes);
  for (const int layer : LayerOperations(network.topology)) {
    WriteWeights(network.operations[static_cast<std::size_t>(layer)].weights,
                 static_cast<std::size_t>(WeightDepth(network.topology, layer)), body);
  }
  ByteWriter file;
  file.Bytes(kMagic);
  file.U64(body.bytes().size());
  file.Bytes(body.bytes());
  const Sha256Digest digest = ComputeSha256(file.bytes());
  file.bytes().append(digest.begin(), digest.end());
  return std::move(file.bytes());
}

Result<Network> ParseNetwork(std::string_view bytes) {
  BITPILOT_RETURN_IF_ERROR(CheckMagic(bytes));
  if (bytes.size() < kHeaderSize + kDigestSize) {
    return DataCorrupt("network file: truncated inside its header, " +
                       std::to_string(bytes.size()) + " bytes");
  }
  const std::uint64_t body_size = ByteReader(bytes.substr(kMagic.size())).U64();
  const std::size_t present = bytes.size() - kHeaderSize - kDigestSize;
  if (body_size != present) {
    return DataCorrupt("network file: the header promises a body of " + std::to_string(body_size) +
                       " bytes, " + std::to_string(present) + " are there");
  }
  const std::string_view hashed = bytes.substr(0, kHeaderSize + present);
  const Sha256Digest digest = ComputeSha256(hashed);
  if (std::memcmp(digest.data(), bytes.data() + hashed.size(), kDigestSize) != 0) {
    return DataCorrupt("network file: its SHA-256 does not match its content");
  }
  return ReadBody(hashed.substr(kHeaderSize));
}

Result<Network> ReadNetworkFile(const std::string& path) {
  const Result<std::string> bytes = ReadFile(path);
  if (!bytes.ok()) return bytes.status();
  Result<Network> network = ParseNetwork(*bytes);
  if (!network.ok()) return network.status().WithContext(path);
  return network;
}

Status WriteNetworkFile(const std::string& path, const Network& network) {
  return WriteFileAtomically(path, SerializeNetwork(network));
}

}  // namespace bitpilot
