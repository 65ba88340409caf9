#include "agent/model/file_io.h"

#include <fcntl.h>
#include <lzma.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

namespace bitpilot {
namespace {

constexpr std::size_t kPieceBytes = 64 * 1024;
constexpr std::uint64_t kDecoderMemoryBytes = 128ULL << 20;

Status ErrnoStatus(const std::string& path, const char* what) {
  const int error = errno;
  StatusCode code = StatusCode::kUnavailable;
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      code = StatusCode::kNotFound;
      break;
    case EACCES:
    case EPERM:
    case EROFS:
      code = StatusCode::kPermissionDenied;
      break;
    case EISDIR:
      code = StatusCode::kInvalidArgument;
      break;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      code = StatusCode::kResourceExhausted;
      break;
    default:
      break;
  }
  return Status(code, path + ": cannot " + what + ": " + std::strerror(error));
}

// Closes its file descriptor.
class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  ~FileDescriptor() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

// Decodes xz data piece by piece. Not copyable.
class XzDecoder {
 public:
  XzDecoder() = default;
  XzDecoder(const XzDecoder&) = delete;
  XzDecoder& operator=(const XzDecoder&) = delete;
  ~XzDecoder() { lzma_end(&stream_); }

  Status Start() {
    const lzma_ret result = lzma_stream_decoder(&stream_, kDecoderMemoryBytes, LZMA_CONCATENATED);
    return result == LZMA_OK ? Status() : Describe(result);
  }

  // `last`: `bytes` end the file, so a stream that wants more is truncated.
  Status Decode(std::string_view bytes, bool last, const ByteSink& sink) {
    stream_.next_in = reinterpret_cast<const std::uint8_t*>(bytes.data());
    stream_.avail_in = bytes.size();
    const lzma_action action = last ? LZMA_FINISH : LZMA_RUN;
    while (true) {
      std::array<std::uint8_t, kPieceBytes> piece;
      stream_.next_out = piece.data();
      stream_.avail_out = piece.size();
      const lzma_ret result = lzma_code(&stream_, action);
      const std::size_t decoded = piece.size() - stream_.avail_out;
      if (decoded > 0) {
        BITPILOT_RETURN_IF_ERROR(
            sink(std::string_view(reinterpret_cast<const char*>(piece.data()), decoded)));
      }
      if (result == LZMA_STREAM_END) return Status();
      if (result != LZMA_OK && result != LZMA_BUF_ERROR) return Describe(result);
      if (last && result == LZMA_BUF_ERROR) return DataCorrupt("the xz data is truncated");
      if (!last && stream_.avail_in == 0 && stream_.avail_out > 0) return Status();
    }
  }

 private:
  static Status Describe(lzma_ret result) {
    switch (result) {
      case LZMA_FORMAT_ERROR:
        return DataCorrupt("not an xz file, or other bytes after its end");
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

  lzma_stream stream_ = LZMA_STREAM_INIT;
};

// Calls `take(bytes, last)` until the end of the file; the last call may have no bytes.
Status ReadPieces(const std::string& path,
                  const std::function<Status(std::string_view, bool)>& take) {
  const FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return ErrnoStatus(path, "open it");
  std::vector<char> piece(kPieceBytes);
  while (true) {
    const ssize_t count = read(file.get(), piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return ErrnoStatus(path, "read it");
    const std::string_view bytes(piece.data(), static_cast<std::size_t>(count));
    BITPILOT_RETURN_IF_ERROR(take(bytes, count == 0).WithContext(path));
    if (count == 0) return Status();
  }
}

Status WriteAll(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t count = write(fd, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return ErrnoStatus(path, "write it");
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return fsync(fd) == 0 ? Status() : ErrnoStatus(path, "sync it");
}

}  // namespace

Status StreamFile(const std::string& path, const ByteSink& sink) {
  if (!path.ends_with(".xz")) {
    return ReadPieces(
        path, [&](std::string_view bytes, bool last) { return last ? Status() : sink(bytes); });
  }
  XzDecoder decoder;
  BITPILOT_RETURN_IF_ERROR(decoder.Start().WithContext(path));
  return ReadPieces(
      path, [&](std::string_view bytes, bool last) { return decoder.Decode(bytes, last, sink); });
}

Result<std::string> ReadWholeFile(const std::string& path, std::size_t max_bytes) {
  std::string content;
  const Status status = StreamFile(path, [&](std::string_view bytes) {
    if (bytes.size() > max_bytes - content.size()) {
      return Status(StatusCode::kResourceExhausted,
                    "expected at most " + std::to_string(max_bytes) + " bytes, got more");
    }
    content.append(bytes);
    return Status();
  });
  if (!status.ok()) return status;
  return content;
}

Status WriteWholeFile(const std::string& path, std::string_view bytes) {
  std::string temporary = path + ".XXXXXX";
  const FileDescriptor file(mkostemp(temporary.data(), O_CLOEXEC));
  if (file.get() < 0) return ErrnoStatus(path, "create a temporary file beside it");
  Status status = WriteAll(file.get(), bytes, path);
  // mkostemp's 0600 is for secrets; what is written here is shared like any other file.
  if (status.ok() && fchmod(file.get(), 0644) != 0) status = ErrnoStatus(path, "set its mode");
  if (status.ok() && rename(temporary.c_str(), path.c_str()) != 0) {
    status = ErrnoStatus(path, "replace it");
  }
  if (!status.ok()) unlink(temporary.c_str());
  return status;
}

}  // namespace bitpilot
