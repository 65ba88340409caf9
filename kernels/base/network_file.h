// The network file (.bpnet): a Network as bytes, weights packed at their own width.
//
// Little-endian. Layout, version 1:
//   magic "BPNET1\r\n" (8 bytes)            the two control bytes catch text-mode copies
//   u64 body size in bytes
//   body: topology, tensors, output stages, input codes, packed weights (network_file.cc has the
//         field order)
//   32 bytes SHA-256 of everything before
//
// Packed weights: channel after channel; each channel's codes as consecutive b-bit two's complement
// fields, lowest bits first (b = 1: bit 1 is +1, bit 0 is -1; b = 0: nothing, here and in memory),
// padded to a whole byte.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "kernels/base/network.h"
#include "kernels/base/status.h"

namespace bitpilot {

// REQUIRES: ValidateNetwork(network).ok().
std::string SerializeNetwork(const Network& network);

// Parses and validates. Sizes are checked before anything is allocated: no input makes it allocate
// more than a small multiple of bytes.size().
//
// Errors:
//   kDataCorrupt      truncated, wrong checksum, trailing bytes.
//   kVersionMismatch  another version of the format; the message names both.
//   kInvalidArgument  well-formed bytes that describe no valid network.
Result<Network> ParseNetwork(std::string_view bytes);

// Errors: as ParseNetwork, and kNotFound / kPermissionDenied; the message names `path`.
Result<Network> ReadNetworkFile(const std::string& path);

// Writes to a temporary file beside `path` and renames it: readers see the old file or the whole
// new one.
Status WriteNetworkFile(const std::string& path, const Network& network);

}  // namespace bitpilot
