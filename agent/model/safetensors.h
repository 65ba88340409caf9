// Weight files in the safetensors format.
//
// Layout: u64 N (little-endian), N bytes of JSON, raw data. The JSON maps each tensor's name to its
// dtype, its row-major shape and its [begin, end) bytes in the data; `__metadata__` maps strings to
// strings. The data has neither gaps nor overlaps.
//
// A file is untrusted: every number is checked against the file's size before it is used, and
// nothing larger than a small multiple of that size is allocated.
//
// Source: the format's specification in huggingface/safetensors, README.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/base/status.h"

namespace bitpilot {

struct FloatTensor {
  std::vector<std::int64_t> shape;  // empty: a scalar
  std::vector<float> values;        // row-major, product of `shape` elements
  friend bool operator==(const FloatTensor&, const FloatTensor&) = default;
};

// "[16, 3, 3, 3]", for messages.
std::string ShapeToString(const std::vector<std::int64_t>& shape);

struct SafetensorsFile {
  std::map<std::string, FloatTensor> tensors;  // dtypes F32, and F16, BF16, F64 as float
  std::map<std::string, std::string>
      other_dtypes;  // name to dtype of all other tensors, which are not read
  std::map<std::string, std::string> metadata;

  // The tensor of floats `name` of shape `shape`, owned by this object.
  //
  // Errors:
  //   kInvalidArgument  no such tensor, another dtype or another shape; the message names all
  //                     three.
  Result<const FloatTensor*> Find(const std::string& name,
                                  const std::vector<std::int64_t>& shape) const;
};

// Errors:
//   kDataCorrupt  truncated; a header that is no JSON object of the form above; a name that occurs
//                 twice; an unknown dtype; a shape that disagrees with its bytes; gaps, overlaps,
//                 bytes left over.
Result<SafetensorsFile> ParseSafetensors(std::string_view bytes);

// Errors: as ParseSafetensors, and kNotFound / kPermissionDenied; the message names `path`, and
// what kind of file it is if it is another (agent/model/file_kind.h).
Result<SafetensorsFile> ReadSafetensors(const std::string& path);

// The bytes of a file with these tensors and metadata; equal contents give equal bytes.
//
// REQUIRES: each tensor's values are as many as its shape says; other_dtypes is empty.
std::string SerializeSafetensors(const SafetensorsFile& file);

// Readers see the old file or the whole new one. Errors: as WriteFileAtomically().
Status WriteSafetensors(const std::string& path, const SafetensorsFile& file);

}  // namespace bitpilot
