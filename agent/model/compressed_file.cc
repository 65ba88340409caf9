#include "agent/model/compressed_file.h"

#include <lzma.h>

#include <array>
#include <cstdint>

#include "agent/model/file_kind.h"
#include "kernels/base/file_io.h"

namespace bitpilot {
namespace {

constexpr std::uint64_t kDecoderMemoryBytes = 128ULL << 20;

using ByteSink = std::function<Status(std::string_view)>;

Status DescribeFailure(lzma_ret result) {
  switch (result) {
    case LZMA_FORMAT_ERROR:
      return DataCorrupt("not an xz file, or other bytes after its end");
    case LZMA_BUF_ERROR:
      return DataCorrupt(std::string("the xz data is truncated: ") + kEndsTooEarly);
    case LZMA_MEMLIMIT_ERROR:
      return Status(
          StatusCode::kResourceExhausted,
          "the xz data needs a decoder of more than 128 MiB; compress with xz -9 or less");
    case LZMA_MEM_ERROR:
      return Status(StatusCode::kResourceExhausted, "no memory for the xz decoder");
    case LZMA_OPTIONS_ERROR:
      return Unsupported("the xz data uses a filter that this liblzma does not know");
    default:
      return DataCorrupt("the xz data is broken (liblzma code " + std::to_string(result) + ")");
  }
}

// Decodes xz data that comes in pieces.
class XzDecoder {
 public:
  explicit XzDecoder(const ByteSink& sink) : sink_(sink) {}
  XzDecoder(const XzDecoder&) = delete;
  XzDecoder& operator=(const XzDecoder&) = delete;
  ~XzDecoder() { lzma_end(&stream_); }

  Status Start() {
    const lzma_ret result = lzma_stream_decoder(&stream_, kDecoderMemoryBytes, LZMA_CONCATENATED);
    return result == LZMA_OK ? Status() : DescribeFailure(result);
  }

  Status Decode(std::string_view bytes) {
    stream_.next_in = reinterpret_cast<const std::uint8_t*>(bytes.data());
    stream_.avail_in = bytes.size();
    do {
      const Result<lzma_ret> step = Step(LZMA_RUN);
      if (!step.ok()) return step.status();
      // No progress is possible without more input: that is the next piece's business.
      if (*step == LZMA_BUF_ERROR) break;
      if (*step != LZMA_OK) return DescribeFailure(*step);
    } while (stream_.avail_in > 0 || stream_.avail_out == 0);
    return Status();
  }

  // No bytes follow: a stream that wants more is truncated.
  Status Finish() {
    while (true) {
      const Result<lzma_ret> step = Step(LZMA_FINISH);
      if (!step.ok()) return step.status();
      if (*step == LZMA_STREAM_END) return Status();
      if (*step != LZMA_OK) return DescribeFailure(*step);
    }
  }

 private:
  // Decodes at most one block and gives it to the sink.
  Result<lzma_ret> Step(lzma_action action) {
    stream_.next_out = block_.data();
    stream_.avail_out = block_.size();
    const lzma_ret result = lzma_code(&stream_, action);
    const std::string_view decoded(reinterpret_cast<const char*>(block_.data()),
                                   block_.size() - stream_.avail_out);
    if (!decoded.empty()) BITPILOT_RETURN_IF_ERROR(sink_(decoded));
    return result;
  }

  const ByteSink& sink_;
  lzma_stream stream_ = LZMA_STREAM_INIT;
  std::array<std::uint8_t, 65'536> block_;
};

Status StreamXzFile(const std::string& path, const ByteSink& sink) {
  XzDecoder decoder(sink);
  BITPILOT_RETURN_IF_ERROR(decoder.Start().WithContext(path));
  BITPILOT_RETURN_IF_ERROR(ReadFileInPieces(
      path, [&](std::string_view piece) { return decoder.Decode(piece).WithContext(path); }));
  return decoder.Finish().WithContext(path);
}

}  // namespace

Status StreamFile(const std::string& path, const ByteSink& sink) {
  if (path.ends_with(".xz")) return StreamXzFile(path, sink);
  return ReadFileInPieces(path,
                          [&](std::string_view piece) { return sink(piece).WithContext(path); });
}

}  // namespace bitpilot
