#include "agent/model/image_dataset.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>

#include "agent/model/compressed_file.h"
#include "agent/model/file_kind.h"
#include "agent/model/sample_data.h"
#include "kernels/base/sha256.h"

namespace bitpilot {
namespace {

constexpr TensorShape kCifarShape{32, 32, 3};
constexpr std::size_t kImageBytes = 3072;
constexpr std::size_t kRecordBytes = 1 + kImageBytes;
constexpr int kNumClasses = 10;
constexpr std::size_t kMaxRecords = 1'000'000;  // 3 GB: ends what a hostile .xz could expand to
constexpr std::size_t kValidationRecords = 3'000;

// Cuts a stream of bytes into CIFAR-10 records, wherever the stream's pieces end.
class RecordReader {
 public:
  explicit RecordReader(ImageDataset& dataset) : dataset_(dataset) {}

  Status Add(std::string_view bytes) {
    if (first_.size() < kFileKindBytes) {
      first_.append(bytes.substr(0, kFileKindBytes - first_.size()));
    }
    while (!bytes.empty()) {
      if (image_bytes_left_ == 0) {
        BITPILOT_RETURN_IF_ERROR(AddLabel(static_cast<std::uint8_t>(bytes.front())));
        bytes.remove_prefix(1);
        continue;
      }
      const std::size_t count = std::min(bytes.size(), image_bytes_left_);
      dataset_.pixels.insert(dataset_.pixels.end(), bytes.begin(), bytes.begin() + count);
      image_bytes_left_ -= count;
      bytes.remove_prefix(count);
    }
    return Status();
  }

  Status Finish() const {
    const std::size_t total_bytes = dataset_.labels.size() + dataset_.pixels.size();
    if (total_bytes > 0 && total_bytes % kRecordBytes == 0) return Status();
    return DataCorrupt("expected records of 3073 bytes (1 label, 3072 pixels), got " +
                       std::to_string(total_bytes) + " bytes, which is " +
                       (total_bytes == 0 ? "no record" : "no multiple of 3073") + ": " +
                       kEndsTooEarly);
  }

  // The beginning of the stream, unpacked: at most kFileKindBytes.
  const std::string& first() const { return first_; }

 private:
  Status AddLabel(std::uint8_t label) {
    if (label >= kNumClasses) {
      return DataCorrupt("record " + std::to_string(dataset_.size()) +
                         ": expected a label in 0..9, got " + std::to_string(label));
    }
    if (dataset_.size() == kMaxRecords) {
      return Status(StatusCode::kResourceExhausted,
                    "more than " + std::to_string(kMaxRecords) + " records");
    }
    dataset_.labels.push_back(label);
    image_bytes_left_ = kImageBytes;
    return Status();
  }

  ImageDataset& dataset_;
  std::size_t image_bytes_left_ = 0;
  std::string first_;
};

namespace fs = std::filesystem;

using FileNames = std::array<std::string, 2>;
FileNames TestFiles() { return {"test.bin", "test_batch.bin"}; }

bool Exists(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

// The first of `names` that exists in `folder`, plain or as .xz.
std::optional<std::string> FindDataFile(const std::string& folder, const FileNames& names) {
  for (const std::string& name : names) {
    for (const char* suffix : {"", ".xz"}) {
      const fs::path path = fs::path(folder) / (name + suffix);
      if (Exists(path)) return path.string();
    }
  }
  return std::nullopt;
}

// A file in `folder` that a download left unfinished, by its name; the first one.
std::optional<std::string> UnfinishedDownload(const fs::path& folder) {
  constexpr std::array<std::string_view, 6> kEndings = {".part",     ".partial", ".crdownload",
                                                        ".download", ".tmp",     ".aria2"};
  std::optional<std::string> first;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    const std::string extension = entry.path().extension();
    if (std::find(kEndings.begin(), kEndings.end(), extension) == kEndings.end()) continue;
    if (!first || entry.path().string() < *first) first = entry.path().string();
  }
  return first;
}

// What else may be in `folder`, for people who took another download.
std::string DescribeOtherContent(const fs::path& folder) {
  for (const fs::path& inside : {folder, folder / "cifar-10-batches-py"}) {
    if (!Exists(inside / "test_batch")) continue;
    return "; " + inside.string() +
           " holds CIFAR-10's python version: take the binary version (cifar-10-binary.tar.gz)";
  }
  for (const char* archive : {"cifar-10-binary.tar.gz", "cifar-10-python.tar.gz"}) {
    if (Exists(folder / archive)) {
      return "; " + (folder / archive).string() + " is an archive: unpack the binary version's " +
             "(tar xzf cifar-10-binary.tar.gz)";
    }
  }
  for (const fs::path& inside : {folder, folder / "cifar-100-binary"}) {
    if (Exists(inside / "fine_label_names.txt")) return "; " + inside.string() + " is CIFAR-100";
  }
  if (const std::optional<std::string> unfinished = UnfinishedDownload(folder)) {
    return "; " + *unfinished + " is a download that has not ended: let it end, or fetch it again";
  }
  return {};
}

Result<std::string> RequireDataFile(const std::string& folder, const FileNames& names) {
  const std::optional<std::string> path = FindDataFile(folder, names);
  if (path) return *path;
  return Status(StatusCode::kNotFound,
                folder + ": expected CIFAR-10's binary version, found neither " + names[0] +
                    " nor " + names[1] + " (plain or .xz)" + DescribeOtherContent(folder));
}

// `folder`, or the one below it that the published archive unpacks to.
std::string FolderWithData(const std::string& folder) {
  const fs::path below = fs::path(folder) / "cifar-10-batches-bin";
  if (!FindDataFile(folder, TestFiles()) && FindDataFile(below, TestFiles())) return below.string();
  return folder;
}

Result<ImageDataset> ReadTrainingFolder(const std::string& folder) {
  ImageDataset all;
  all.name = folder + " (training)";
  for (int part = 1; part <= 5; ++part) {
    const std::string number = std::to_string(part);
    const Result<std::string> path =
        RequireDataFile(folder, {"train_" + number + ".bin", "data_batch_" + number + ".bin"});
    if (!path.ok()) return path.status();
    const Result<ImageDataset> read = ReadCifar10File(*path);
    if (!read.ok()) return read.status();
    all.pixels.insert(all.pixels.end(), read->pixels.begin(), read->pixels.end());
    all.labels.insert(all.labels.end(), read->labels.begin(), read->labels.end());
  }
  return all;
}

// What is at `source` instead of a folder.
std::string DescribeNoFolder(const std::string& source) {
  if (!Exists(source)) return "nothing is there";
  const std::string kind = DescribeFileKind(FirstBytes(source));
  return "it is " + (kind.empty() ? "a file" : kind);
}

Result<DataSplits> LoadFolder(const std::string& source) {
  std::error_code error;
  if (!fs::is_directory(source, error)) {
    return Status(StatusCode::kNotFound,
                  source + ": expected \"sample\" or a folder with CIFAR-10's binary version; " +
                      DescribeNoFolder(source));
  }
  const std::string folder = FolderWithData(source);
  // The test file first: it is the smaller one, and a wrong folder should fail fast.
  const Result<std::string> test_path = RequireDataFile(folder, TestFiles());
  if (!test_path.ok()) return test_path.status();
  const Result<ImageDataset> held_out = ReadCifar10File(*test_path);
  if (!held_out.ok()) return held_out.status();
  if (held_out->size() <= kValidationRecords) {
    return DataCorrupt(*test_path + ": expected more than 3000 records (0-2,999 are for " +
                       "validation, the rest for the test), got " +
                       std::to_string(held_out->size()));
  }
  Result<ImageDataset> train = ReadTrainingFolder(folder);
  if (!train.ok()) return train.status();
  DataSplits splits{std::move(train).value(), held_out->Slice(0, kValidationRecords),
                    held_out->Slice(kValidationRecords, held_out->size())};
  splits.validation.name = *test_path + " (validation)";
  splits.test.name = *test_path + " (test)";
  return splits;
}

Result<DataSplits> LoadSample() {
  const Result<std::string> folder = SampleDataFolder();
  if (!folder.ok()) return folder.status();
  DataSplits splits;
  for (auto [part, name] :
       {std::pair(&splits.train, "train"), std::pair(&splits.validation, "validation"),
        std::pair(&splits.test, "test")}) {
    const std::string file = std::string("cifar10_") + name + ".bin";
    const std::optional<std::string> path = FindDataFile(*folder, {file, file});
    if (!path) {
      return Status(StatusCode::kNotFound,
                    *folder + ": expected " + file + ", plain or .xz, of the shipped sample");
    }
    Result<ImageDataset> read = ReadCifar10File(*path);
    if (!read.ok()) return read.status();
    *part = std::move(read).value();
  }
  return splits;
}

}  // namespace

std::span<const std::uint8_t> ImageDataset::image(std::size_t index) const {
  BITPILOT_CHECK(index < size());
  const auto bytes = static_cast<std::size_t>(shape.elements());
  return std::span(pixels).subspan(index * bytes, bytes);
}

ImageDataset ImageDataset::Slice(std::size_t begin, std::size_t end) const {
  BITPILOT_CHECK(begin <= end && end <= size());
  const auto bytes = static_cast<std::ptrdiff_t>(shape.elements());
  const auto first = static_cast<std::ptrdiff_t>(begin);
  const auto last = static_cast<std::ptrdiff_t>(end);
  return {name,
          shape,
          {pixels.begin() + first * bytes, pixels.begin() + last * bytes},
          {labels.begin() + first, labels.begin() + last}};
}

std::string ImageDataset::Fingerprint() const {
  Sha256 hash;
  hash.Update(labels.data(), labels.size());
  hash.Update(pixels.data(), pixels.size());
  return ToHex(hash.Finish());
}

Result<ImageDataset> ReadCifar10File(const std::string& path) {
  ImageDataset dataset;
  dataset.name = path;
  dataset.shape = kCifarShape;
  RecordReader reader(dataset);
  Status status = StreamFile(path, [&](std::string_view bytes) { return reader.Add(bytes); });
  if (status.ok()) status = reader.Finish().WithContext(path);
  if (status.ok()) return dataset;
  status = status.AsCorruptInput();
  // Data that cannot even be unpacked is known by the file itself.
  return NameFileKind(status, path, reader.first().empty() ? FirstBytes(path) : reader.first(),
                      "CIFAR-10's binary version");
}

Result<DataSplits> LoadDataSplits(const std::string& source) {
  return source == "sample" ? LoadSample() : LoadFolder(source);
}

}  // namespace bitpilot
