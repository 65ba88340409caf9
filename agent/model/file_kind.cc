#include "agent/model/file_kind.h"

#include <algorithm>
#include <cctype>
#include <cstdint>

#include "kernels/base/file_io.h"

namespace bitpilot {
namespace {

using std::string_view_literals::operator""sv;

struct Kind {
  std::size_t offset;
  std::string_view bytes;
  const char* description;
};

constexpr Kind kKinds[] = {
    {0, "\x1f\x8b"sv, "a gzip file: unpack it (tar xzf for a .tar.gz, else gunzip)"},
    {0, "\xfd\x37zXZ\0"sv, "an xz file: unpack it, or let its name end in .xz"},
    {0, "BZh"sv, "a bzip2 file: unpack it with bunzip2"},
    {0, "\x28\xb5\x2f\xfd"sv, "a zstd file: unpack it with unzstd"},
    {0, "PK\x03\x04"sv,
     "a zip file, as PyTorch's .pt and .pth are: unpack an archive; write weights "
     "with safetensors.torch.save_file()"},
    {0, "7z\xbc\xaf\x27\x1c"sv, "a 7z file: unpack it"},
    {257, "ustar"sv, "a tar file: unpack it with tar xf"},
    {0, "version https://git-lfs"sv,
     "a Git LFS pointer, not the file itself: fetch it with git lfs "
     "pull"},
    {0, "SQLite format 3\0"sv, "an SQLite database, such as a study"},
    {0, "\x89HDF"sv, "an HDF5 file, such as Keras's weights"},
    {0, "\x93NUMPY"sv, "a NumPy array"},
    {0, "\x89PNG"sv, "a PNG image"},
    {0, "\xff\xd8\xff"sv, "a JPEG image"},
    {0, "%PDF"sv, "a PDF document"},
    {0,
     "\x7f"
     "ELF"sv,
     "a program"},
};

bool BeginsWithPickle(std::string_view first) {
  constexpr std::uint8_t kProto = 0x80;  // then the protocol's version
  return first.size() > 2 && static_cast<std::uint8_t>(first[0]) == kProto && first[1] >= 2 &&
         first[1] <= 5;
}

bool BeginsWithMarkup(std::string_view first) {
  const std::size_t begin = first.find_first_not_of(" \t\r\n\xef\xbb\xbf");
  if (begin == std::string_view::npos) return false;
  std::string text(first.substr(begin, 14));
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text.starts_with("<!doctype") || text.starts_with("<html") || text.starts_with("<?xml");
}

// Records of a coarse label in 0..19, a fine one in 0..99, and 3072 pixels. Pixels that happen to
// look like labels in every record are out of the question from a few records on.
bool BeginsWithCifar100(std::string_view first) {
  constexpr std::size_t kRecordBytes = 3074;
  constexpr std::size_t kMinRecords = 4;
  if (first.size() < kMinRecords * kRecordBytes) return false;
  for (std::size_t at = 0; at + 1 < first.size(); at += kRecordBytes) {
    if (static_cast<std::uint8_t>(first[at]) >= 20) return false;
    if (static_cast<std::uint8_t>(first[at + 1]) >= 100) return false;
  }
  return true;
}

}  // namespace

std::string DescribeFileKind(std::string_view first) {
  for (const Kind& kind : kKinds) {
    if (first.size() > kind.offset && first.substr(kind.offset).starts_with(kind.bytes)) {
      return kind.description;
    }
  }
  if (BeginsWithPickle(first)) {
    return "a Python pickle, such as CIFAR-10's python version: take the binary version "
           "(cifar-10-binary.tar.gz)";
  }
  if (BeginsWithMarkup(first)) return "a web page (HTML or XML): the download went wrong";
  if (BeginsWithCifar100(first)) {
    return "CIFAR-100 (two labels before each image): take CIFAR-10's binary version";
  }
  return {};
}

Status NameFileKind(const Status& failure, const std::string& path, std::string_view first,
                    std::string_view expected) {
  if (failure.code() != StatusCode::kDataCorrupt) return failure;
  const std::string kind = DescribeFileKind(first);
  if (kind.empty()) return failure;
  return DataCorrupt(path + ": expected " + std::string(expected) + ", got " + kind);
}

std::string FirstBytes(const std::string& path) {
  std::string first;
  const Status ignored = ReadFileInPieces(path, [&first](std::string_view piece) {
    first.append(piece.substr(0, kFileKindBytes - first.size()));
    const bool enough = first.size() == kFileKindBytes;
    return enough ? Status(StatusCode::kAborted, "enough") : Status();
  });
  static_cast<void>(ignored);
  return first;
}

}  // namespace bitpilot
