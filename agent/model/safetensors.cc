#include "agent/model/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>
#include <set>

#include <nlohmann/json.hpp>

#include "agent/model/file_kind.h"
#include "agent/model/float_formats.h"
#include "kernels/base/file_io.h"

namespace bitpilot {
namespace {

static_assert(std::endian::native == std::endian::little, "tensors are copied byte for byte");

using Json = nlohmann::json;

constexpr std::size_t kLengthBytes = 8;
constexpr std::size_t kMaxHeaderBytes = std::size_t{64} << 20;

struct TensorEntry {
  std::string name;
  std::string dtype;
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0;  // bytes in the data
  std::uint64_t end = 0;
};

// Bytes of one element, or none for a dtype that the format does not have.
std::optional<std::uint64_t> ElementBytes(const std::string& dtype) {
  static const std::map<std::string, std::uint64_t> bytes = {
      {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E4M3", 1}, {"F8_E5M2", 1},
      {"I16", 2},  {"U16", 2}, {"F16", 2}, {"BF16", 2},    {"I32", 4},
      {"U32", 4},  {"F32", 4}, {"F64", 8}, {"I64", 8},     {"U64", 8}};
  const auto found = bytes.find(dtype);
  if (found == bytes.end()) return std::nullopt;
  return found->second;
}

// shape's product times `element_bytes`, or none above `limit`.
std::optional<std::uint64_t> TensorBytes(const std::vector<std::int64_t>& shape,
                                         std::uint64_t element_bytes, std::uint64_t limit) {
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return 0;
  std::uint64_t bytes = element_bytes;
  for (const std::int64_t size : shape) {
    if (bytes > limit / static_cast<std::uint64_t>(size)) return std::nullopt;
    bytes *= static_cast<std::uint64_t>(size);
  }
  return bytes;
}

bool IsSizeArray(const Json& json) {
  // Sizes above 2^62 would not fit the signed shape; no real tensor comes near.
  return json.is_array() && std::all_of(json.begin(), json.end(), [](const Json& item) {
           return item.is_number_unsigned() && item.get<std::uint64_t>() < (std::uint64_t{1} << 62);
         });
}

Status ParseMetadata(const Json& json, SafetensorsFile& file) {
  if (!json.is_object()) return DataCorrupt("__metadata__ is no JSON object");
  for (const auto& [key, value] : json.items()) {
    if (!value.is_string()) {
      return DataCorrupt("__metadata__: the value of '" + key + "' is no string");
    }
    file.metadata[key] = value.get<std::string>();
  }
  return Status();
}

Result<TensorEntry> ParseEntry(const std::string& name, const Json& json,
                               std::uint64_t data_bytes) {
  const std::string where = "tensor '" + name + "': ";
  if (!json.is_object() || !json.contains("dtype") || !json["dtype"].is_string() ||
      !json.contains("shape") || !IsSizeArray(json["shape"]) || !json.contains("data_offsets") ||
      !IsSizeArray(json["data_offsets"]) || json["data_offsets"].size() != 2) {
    return DataCorrupt(where + "expected {dtype, shape, data_offsets: [begin, end]}");
  }
  TensorEntry entry{name, json["dtype"], json["shape"], json["data_offsets"][0],
                    json["data_offsets"][1]};
  if (entry.begin > entry.end || entry.end > data_bytes) {
    return DataCorrupt(where + "data_offsets [" + std::to_string(entry.begin) + ", " +
                       std::to_string(entry.end) + "] lie outside the file's " +
                       std::to_string(data_bytes) + " data bytes" +
                       (entry.begin <= entry.end ? std::string(": ") + kEndsTooEarly : ""));
  }
  const std::optional<std::uint64_t> element_bytes = ElementBytes(entry.dtype);
  if (!element_bytes) return DataCorrupt(where + "unknown dtype '" + entry.dtype + "'");
  if (TensorBytes(entry.shape, *element_bytes, data_bytes) != entry.end - entry.begin) {
    return DataCorrupt(where + "shape " + ShapeToString(entry.shape) + " of " + entry.dtype +
                       " does not fill its " + std::to_string(entry.end - entry.begin) + " bytes");
  }
  return entry;
}

// Each tensor begins where the one before ended, and the last ends the data.
Status CheckLayout(std::vector<TensorEntry> entries, std::uint64_t data_bytes) {
  std::sort(entries.begin(), entries.end(), [](const TensorEntry& a, const TensorEntry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  std::uint64_t expected = 0;
  for (const TensorEntry& entry : entries) {
    if (entry.begin != expected) {
      return DataCorrupt("tensor '" + entry.name + "' begins at data byte " +
                         std::to_string(entry.begin) + ", expected " + std::to_string(expected) +
                         (entry.begin < expected ? ": it overlaps another" : ": there is a gap"));
    }
    expected = entry.end;
  }
  if (expected == data_bytes) return Status();
  return DataCorrupt("the tensors end at data byte " + std::to_string(expected) +
                     ", but the file has " + std::to_string(data_bytes));
}

// Parses `text`, which must be one JSON object without repeated names at its top level.
Result<Json> ParseHeader(std::string_view text) {
  std::set<std::string> names;
  std::string repeated;
  const Json::parser_callback_t note_repeated = [&](int depth, Json::parse_event_t event,
                                                    Json& parsed) {
    if (depth == 1 && event == Json::parse_event_t::key && !names.insert(parsed).second) {
      repeated = parsed.get<std::string>();
    }
    return true;
  };
  Json header = Json::parse(text, note_repeated, /*allow_exceptions=*/false);
  if (!header.is_object()) return DataCorrupt("the header is no JSON object");
  if (!repeated.empty()) return DataCorrupt("tensor '" + repeated + "' is listed twice");
  return header;
}

}  // namespace

std::string ShapeToString(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (const std::int64_t size : shape) {
    text += (text.size() > 1 ? ", " : "") + std::to_string(size);
  }
  return text + "]";
}

Result<const FloatTensor*> SafetensorsFile::Find(const std::string& name,
                                                 const std::vector<std::int64_t>& shape) const {
  const std::string expected = "expected tensor '" + name + "' F32 " + ShapeToString(shape);
  const auto other = other_dtypes.find(name);
  if (other != other_dtypes.end()) {
    return InvalidArgument(expected + ", got dtype " + other->second);
  }
  const auto found = tensors.find(name);
  if (found == tensors.end()) {
    return InvalidArgument(expected + ", which the file does not have");
  }
  if (found->second.shape != shape) {
    return InvalidArgument(expected + ", got shape " + ShapeToString(found->second.shape));
  }
  return &found->second;
}

Result<SafetensorsFile> ParseSafetensors(std::string_view bytes) {
  if (bytes.size() < kLengthBytes) {
    return DataCorrupt("expected at least 8 bytes, got " + std::to_string(bytes.size()) + ": " +
                       kEndsTooEarly);
  }
  std::uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, bytes.data(), kLengthBytes);
  bytes.remove_prefix(kLengthBytes);
  if (header_bytes > std::min(bytes.size(), kMaxHeaderBytes)) {
    return DataCorrupt("the header claims " + std::to_string(header_bytes) + " bytes, but only " +
                       std::to_string(bytes.size()) + " follow: no safetensors file, or " +
                       kEndsTooEarly);
  }
  const Result<Json> header = ParseHeader(bytes.substr(0, header_bytes));
  if (!header.ok()) return header.status();
  const std::string_view data = bytes.substr(header_bytes);

  SafetensorsFile file;
  std::vector<TensorEntry> entries;
  for (const auto& [name, json] : header->items()) {
    if (name == "__metadata__") {
      BITPILOT_RETURN_IF_ERROR(ParseMetadata(json, file));
      continue;
    }
    Result<TensorEntry> entry = ParseEntry(name, json, data.size());
    if (!entry.ok()) return entry.status();
    entries.push_back(std::move(entry).value());
  }
  // Only disjoint tensors are copied, so all of them together are no larger than the file.
  BITPILOT_RETURN_IF_ERROR(CheckLayout(entries, data.size()));
  for (const TensorEntry& entry : entries) {
    std::optional<std::vector<float>> values =
        ToFloats(entry.dtype, data.substr(entry.begin, entry.end - entry.begin));
    if (values) {
      file.tensors[entry.name] = {entry.shape, std::move(*values)};
    } else {
      file.other_dtypes[entry.name] = entry.dtype;
    }
  }
  return file;
}

Result<SafetensorsFile> ReadSafetensors(const std::string& path) {
  const Result<std::string> bytes = ReadFile(path);
  if (!bytes.ok()) return bytes.status();
  Result<SafetensorsFile> file = ParseSafetensors(*bytes);
  if (!file.ok()) {
    return NameFileKind(file.status().WithContext(path), path,
                        std::string_view(*bytes).substr(0, kFileKindBytes), "a .safetensors file");
  }
  return file;
}

std::string SerializeSafetensors(const SafetensorsFile& file) {
  BITPILOT_CHECK(file.other_dtypes.empty());
  Json header = Json::object();
  if (!file.metadata.empty()) header["__metadata__"] = file.metadata;
  std::uint64_t offset = 0;
  for (const auto& [name, tensor] : file.tensors) {
    const std::uint64_t bytes = tensor.values.size() * sizeof(float);
    BITPILOT_CHECK(TensorBytes(tensor.shape, sizeof(float), bytes) == bytes);
    header[name] = {
        {"dtype", "F32"}, {"shape", tensor.shape}, {"data_offsets", {offset, offset + bytes}}};
    offset += bytes;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // The data begins on a multiple of 8.
  const std::uint64_t header_bytes = text.size();
  std::string bytes(reinterpret_cast<const char*>(&header_bytes), kLengthBytes);
  bytes += text;
  for (const auto& [name, tensor] : file.tensors) {
    bytes.append(reinterpret_cast<const char*>(tensor.values.data()),
                 tensor.values.size() * sizeof(float));
  }
  return bytes;
}

Status WriteSafetensors(const std::string& path, const SafetensorsFile& file) {
  return WriteFileAtomically(path, SerializeSafetensors(file));
}

}  // namespace bitpilot
