#include "agent/model/image_dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <utility>
#include <vector>

#include "agent/model/compressed_file.h"
#include "agent/model/sample_data.h"

namespace bitpilot {
namespace {

using testing::Each;
using testing::HasSubstr;

constexpr std::size_t kRecordBytes = 3073;

std::filesystem::path SampleFolder() {
  return std::filesystem::path(BITPILOT_SOURCE_DIR) / "experiments/data";
}

std::string ReadBytes(const std::filesystem::path& path) {
  std::string bytes;
  const Status status = StreamFile(path, [&bytes](std::string_view piece) {
    bytes.append(piece);
    return Status();
  });
  EXPECT_TRUE(status.ok()) << status.message();
  return bytes;
}

// Record r has label r % 10 and every pixel equal to r.
std::string Records(std::size_t count) {
  std::string bytes;
  for (std::size_t r = 0; r < count; ++r) {
    bytes += static_cast<char>(r % 10);
    bytes += std::string(kRecordBytes - 1, static_cast<char>(r));
  }
  return bytes;
}

class ImageDatasetTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) /
              testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string Write(const std::string& name, const std::string& bytes) {
    const std::filesystem::path path = folder_ / name;
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }

  void ExpectError(const std::string& path, StatusCode code, const std::string& message) {
    const Result<ImageDataset> dataset = ReadCifar10File(path);
    ASSERT_FALSE(dataset.ok());
    EXPECT_EQ(dataset.status().code(), code);
    EXPECT_THAT(dataset.status().message(), HasSubstr(path));
    EXPECT_THAT(dataset.status().message(), HasSubstr(message));
  }

  std::filesystem::path folder_;
};

TEST_F(ImageDatasetTest, ReadsLabelsAndPlanarPixels) {
  // 50 records are 153,650 bytes: records cross the reader's 65,536-byte pieces.
  const Result<ImageDataset> dataset = ReadCifar10File(Write("a.bin", Records(50)));
  ASSERT_TRUE(dataset.ok()) << dataset.status().message();
  ASSERT_EQ(dataset->size(), 50U);
  EXPECT_EQ(dataset->shape, (TensorShape{32, 32, 3}));
  for (std::size_t r = 0; r < dataset->size(); ++r) {
    EXPECT_EQ(dataset->labels[r], r % 10);
    ASSERT_EQ(dataset->image(r).size(), kRecordBytes - 1);
    EXPECT_THAT(dataset->image(r), Each(r));
  }
}

TEST_F(ImageDatasetTest, SlicesWholeRecords) {
  const Result<ImageDataset> dataset = ReadCifar10File(Write("a.bin", Records(5)));
  ASSERT_TRUE(dataset.ok());
  const ImageDataset slice = dataset->Slice(2, 4);
  EXPECT_THAT(slice.labels, testing::ElementsAre(2, 3));
  EXPECT_THAT(slice.image(1), Each(3));
  EXPECT_EQ(dataset->Slice(5, 5).size(), 0U);
  EXPECT_EQ(dataset->Slice(0, 5).Fingerprint(), dataset->Fingerprint());
  EXPECT_NE(slice.Fingerprint(), dataset->Fingerprint());
}

TEST_F(ImageDatasetTest, RefusesSizesThatAreNoWholeRecords) {
  ExpectError(Write("odd.bin", Records(2) + '\x01'), StatusCode::kDataCorrupt,
              "records of 3073 bytes (1 label, 3072 pixels), got 6147 bytes");
  ExpectError(Write("short.bin", Records(1).substr(0, 3072)), StatusCode::kDataCorrupt,
              "got 3072 bytes, which is no multiple of 3073: the file ends too early");
  ExpectError(Write("empty.bin", ""), StatusCode::kDataCorrupt,
              "got 0 bytes, which is no record: the file ends too early");
}

TEST_F(ImageDatasetTest, NamesTheRecordWithALabelAboveNine) {
  std::string bytes = Records(3);
  bytes[2 * kRecordBytes] = 10;
  ExpectError(Write("label.bin", bytes), StatusCode::kDataCorrupt,
              "record 2: expected a label in 0..9, got 10");
}

TEST_F(ImageDatasetTest, NamesWhatAnotherFileIs) {
  std::string tar(512, '\0');
  tar.replace(0, 4, "a/b.");
  tar.replace(257, 5, "ustar");
  std::string cifar100;
  for (int record = 0; record < 40; ++record) {
    cifar100 += static_cast<char>(record % 20);
    cifar100 += static_cast<char>(record % 100);
    cifar100 += std::string(kRecordBytes - 1, '\xc0');
  }
  const std::vector<std::pair<std::string, std::string>> kinds = {
      {std::string("\x1f\x8b\x08\0", 4), "got a gzip file"},
      {tar, "got a tar file"},
      {std::string("\x80\x02}q\x01(U\x0b") + "batch_label", "got a Python pickle, such as CIFAR"},
      {" \n<!doctype HTML><html>", "got a web page"},
      {"\xef\xbb\xbf<html lang=en>", "got a web page"},
      {"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "got a Git LFS pointer"},
      {cifar100, "got CIFAR-100"},
      {std::string("\xfd"
                   "7zXZ\0",
                   6) +
           std::string(90, 'x'),
       "got an xz file"}};
  for (const auto& [bytes, message] : kinds) {
    ExpectError(Write("test_batch.bin", bytes), StatusCode::kDataCorrupt, message);
    EXPECT_THAT(LoadDataSplits(folder_).status().message(), HasSubstr(message));
    EXPECT_THAT(LoadDataSplits(folder_ / "test_batch.bin").status().message(),
                HasSubstr("it is " + message.substr(4)));
  }
  // By what the file itself is where it cannot be unpacked.
  ExpectError(Write("a.bin.xz", "\x1f\x8b\x08 not xz"), StatusCode::kDataCorrupt,
              "got a gzip file");
}

TEST_F(ImageDatasetTest, TakesBrokenRecordsForNothingElse) {
  std::string bytes = Records(60);
  bytes[2 * kRecordBytes] = 10;
  ExpectError(Write("a.bin", bytes), StatusCode::kDataCorrupt, "record 2: expected a label");
}

TEST_F(ImageDatasetTest, FindsTheFolderThatTheArchiveUnpacksTo) {
  std::filesystem::create_directory(folder_ / "cifar-10-batches-bin");
  for (int part = 1; part <= 5; ++part) {
    Write("cifar-10-batches-bin/data_batch_" + std::to_string(part) + ".bin", Records(3));
  }
  Write("cifar-10-batches-bin/test_batch.bin", Records(3'004));
  const Result<DataSplits> splits = LoadDataSplits(folder_);
  ASSERT_TRUE(splits.ok()) << splits.status().message();
  EXPECT_EQ(splits->train.size(), 15U);
}

TEST_F(ImageDatasetTest, SaysWhatAFolderHoldsInstead) {
  Write("cifar-10-binary.tar.gz", "\x1f\x8b");
  EXPECT_THAT(LoadDataSplits(folder_).status().message(), HasSubstr("tar xzf"));
  std::filesystem::create_directory(folder_ / "cifar-10-batches-py");
  Write("cifar-10-batches-py/test_batch", "\x80\x02");
  EXPECT_THAT(LoadDataSplits(folder_).status().message(), HasSubstr("python version"));
  std::filesystem::create_directory(folder_ / "half");
  Write("half/test_batch.bin.part", Records(1));
  EXPECT_THAT(LoadDataSplits(folder_ / "half").status().message(),
              HasSubstr("test_batch.bin.part is a download that has not ended"));
  std::filesystem::create_directory(folder_ / "c100");
  Write("c100/fine_label_names.txt", "apple\n");
  EXPECT_THAT(LoadDataSplits(folder_ / "c100").status().message(), HasSubstr("is CIFAR-100"));
}

TEST_F(ImageDatasetTest, NamesAFileThatIsNotThere) {
  ExpectError(folder_ / "none.bin", StatusCode::kNotFound, "cannot open");
  ExpectError(folder_ / "none.bin.xz", StatusCode::kNotFound, "cannot open");
  ExpectError(folder_, StatusCode::kDataCorrupt, "directory");
}

TEST_F(ImageDatasetTest, RefusesTruncatedAndBrokenXz) {
  std::ifstream in(SampleFolder() / "cifar10_validation.bin.xz", std::ios::binary);
  const std::string packed{std::istreambuf_iterator<char>(in), {}};
  ASSERT_GT(packed.size(), 100'000U);
  ExpectError(Write("cut.bin.xz", packed.substr(0, packed.size() / 2)), StatusCode::kDataCorrupt,
              "truncated");
  // All data is there, only the stream's index and footer are not.
  ExpectError(Write("foot.bin.xz", packed.substr(0, packed.size() - 4)), StatusCode::kDataCorrupt,
              "truncated");
  ExpectError(Write("empty.bin.xz", ""), StatusCode::kDataCorrupt, "truncated");
  ExpectError(Write("plain.bin.xz", Records(1)), StatusCode::kDataCorrupt, "not an xz file");
  std::string flipped = packed;
  flipped[packed.size() / 2] ^= 0x10;
  EXPECT_EQ(ReadCifar10File(Write("flip.bin.xz", flipped)).status().code(),
            StatusCode::kDataCorrupt);
}

TEST_F(ImageDatasetTest, StreamEndsWhereItsReaderHasEnough) {
  std::size_t bytes = 0;
  const Status status =
      StreamFile(SampleFolder() / "cifar10_validation.bin.xz", [&bytes](std::string_view piece) {
        EXPECT_LE(piece.size(), 65'536U);
        bytes += piece.size();
        return bytes < 200'000 ? Status() : Status(StatusCode::kResourceExhausted, "enough");
      });
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted);
  EXPECT_THAT(status.message(), testing::EndsWith("cifar10_validation.bin.xz: enough"));
  EXPECT_LT(bytes, 200'000U + 65'536U);
}

TEST_F(ImageDatasetTest, SplitsAFolderIntoTrainingValidationAndTest) {
  for (int part = 1; part <= 5; ++part) {
    Write((part % 2 == 0 ? "train_" : "data_batch_") + std::to_string(part) + ".bin", Records(3));
  }
  Write("test_batch.bin", Records(3'004));
  const Result<DataSplits> splits = LoadDataSplits(folder_);
  ASSERT_TRUE(splits.ok()) << splits.status().message();
  EXPECT_EQ(splits->train.size(), 15U);
  EXPECT_EQ(splits->validation.size(), 3'000U);
  EXPECT_THAT(splits->test.labels, testing::ElementsAre(0, 1, 2, 3));
}

TEST_F(ImageDatasetTest, SaysWhatAnIncompleteFolderLacks) {
  EXPECT_THAT(LoadDataSplits(folder_).status().message(),
              HasSubstr("found neither test.bin nor test_batch.bin"));
  Write("test.bin", Records(3'000));
  EXPECT_THAT(LoadDataSplits(folder_).status().message(), HasSubstr("more than 3000 records"));
  EXPECT_EQ(LoadDataSplits(folder_).status().code(), StatusCode::kDataCorrupt);
  Write("test.bin", Records(3'001));
  EXPECT_THAT(LoadDataSplits(folder_).status().message(), HasSubstr("train_1.bin"));
}

TEST_F(ImageDatasetTest, ShippedSampleIsBalanced) {
  const Result<DataSplits> splits = LoadDataSplits("sample");
  ASSERT_TRUE(splits.ok()) << splits.status().message();
  const auto expect_balanced = [](const ImageDataset& part, std::size_t size) {
    std::array<std::size_t, 10> counts{};
    for (const std::uint8_t label : part.labels) ++counts[label];
    EXPECT_EQ(part.size(), size);
    EXPECT_THAT(counts, Each(size / 10));
  };
  expect_balanced(splits->train, 2'000);
  expect_balanced(splits->validation, 1'000);
  expect_balanced(splits->test, 2'000);
}

// Where the full data is at hand: the sample's parts come from the ranges that the README states.
TEST_F(ImageDatasetTest, ShippedSampleLiesInTheStatedRanges) {
  const std::filesystem::path full =
      std::filesystem::path(BITPILOT_SOURCE_DIR) / "../shared/data/cifar10";
  if (!std::filesystem::exists(full)) GTEST_SKIP() << full << " is not there";
  const std::string train = ReadBytes(full / "train_1.bin.xz");
  const std::string test = ReadBytes(full / "test.bin.xz");
  const std::string_view all_test(test);
  EXPECT_TRUE(train.starts_with(ReadBytes(SampleFolder() / "cifar10_train.bin.xz")));
  const auto expect_found = [](std::string_view range, const std::string& part) {
    const std::size_t run_bytes = 100 * kRecordBytes;
    std::size_t from = 0;
    for (std::size_t at = 0; at < part.size(); at += run_bytes) {
      const std::string_view run = std::string_view(part).substr(at, run_bytes);
      while (from < range.size() && range.substr(from, run_bytes) != run) from += run_bytes;
      ASSERT_LT(from, range.size()) << "run at byte " << at;
    }
  };
  expect_found(all_test.substr(0, 3'000 * kRecordBytes),
               ReadBytes(SampleFolder() / "cifar10_validation.bin.xz"));
  expect_found(all_test.substr(3'000 * kRecordBytes),
               ReadBytes(SampleFolder() / "cifar10_test.bin.xz"));
}

TEST_F(ImageDatasetTest, EnvironmentVariableReplacesTheSample) {
  ASSERT_EQ(setenv("BITPILOT_DATA_DIR", folder_.c_str(), 1), 0);
  EXPECT_EQ(SampleDataFolder().status().code(), StatusCode::kNotFound);
  EXPECT_THAT(SampleDataFolder().status().message(), HasSubstr(folder_.string()));
  Write("resnet8.safetensors", "");
  EXPECT_EQ(SampleDataFolder().value(), folder_.string());
  EXPECT_EQ(ShippedWeightsFile("resnet8").value(), (folder_ / "resnet8.safetensors").string());
  ASSERT_EQ(unsetenv("BITPILOT_DATA_DIR"), 0);
  EXPECT_THAT(ShippedWeightsFile("resnet20").status().message(), HasSubstr("--weights"));
}

}  // namespace
}  // namespace bitpilot
