// Files that may be compressed with xz, as a stream of bytes.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "kernels/base/status.h"

namespace bitpilot {

// Gives the content of `path` to `sink` in order, in pieces of at most 64 KiB, decompressed if the
// name ends in ".xz" (any of xz's filters; the decoder uses at most 128 MiB). Ends with the first
// failure that `sink` returns: how much a hostile file may expand to is the sink's to limit.
//
// Errors:
//   kNotFound, kPermissionDenied, kInvalidArgument (a folder)  the file cannot be read.
//   kDataCorrupt                                               broken or truncated xz.
//   kResourceExhausted                                         xz that needs a larger decoder.
//   What `sink` returned. Every message begins with the path.
Status StreamFile(const std::string& path,
                  const std::function<Status(std::string_view bytes)>& sink);

}  // namespace bitpilot
