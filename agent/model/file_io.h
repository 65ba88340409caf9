// Whole files and streams of bytes, with errors that name the file.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "kernels/base/status.h"

namespace bitpilot {

// Takes the next bytes of a stream; a failure ends the stream with that failure.
using ByteSink = std::function<Status(std::string_view bytes)>;

// Gives the content of `path` to `sink` in pieces of at most 64 KiB, decompressed if the name ends
// in ".xz" (any filters; the decoder uses at most 128 MiB). How much a hostile file may expand to
// is the sink's to limit.
//
// Errors:
//   kNotFound, kPermissionDenied  the file cannot be opened; a folder is kInvalidArgument.
//   kDataCorrupt                  broken or truncated xz.
//   kResourceExhausted            xz data that needs a larger decoder.
//   What `sink` returned. Every message begins with the path.
Status StreamFile(const std::string& path, const ByteSink& sink);

// Errors: as StreamFile, and kResourceExhausted for more than `max_bytes` (after decompression).
Result<std::string> ReadWholeFile(const std::string& path, std::size_t max_bytes);

// Writes to a temporary file beside `path`, syncs and renames it: readers see the old file or the
// whole new one.
//
// Errors: kNotFound (no such folder), kPermissionDenied, kResourceExhausted (disk full); names
// `path`.
Status WriteWholeFile(const std::string& path, std::string_view bytes);

}  // namespace bitpilot
