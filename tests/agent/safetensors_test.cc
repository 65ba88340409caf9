#include "agent/model/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <random>
#include <vector>

namespace bitpilot {
namespace {

using testing::HasSubstr;

// A file with this header and `data_bytes` zero bytes of data.
std::string FileBytes(const std::string& header, std::size_t data_bytes) {
  const std::uint64_t size = header.size();
  std::string bytes(sizeof(size), '\0');
  std::memcpy(bytes.data(), &size, sizeof(size));
  return bytes + header + std::string(data_bytes, '\0');
}

SafetensorsFile TwoTensors() {
  SafetensorsFile file;
  file.tensors["b.weight"] = {{2, 1, 2}, {1.0F, -2.5F, 0.0F, 3e38F}};
  file.tensors["a.bias"] = {{1}, {-0.0F}};
  file.metadata["source"] = "by hand";
  return file;
}

void ExpectCorrupt(const std::string& bytes, const std::string& message) {
  const Result<SafetensorsFile> file = ParseSafetensors(bytes);
  ASSERT_FALSE(file.ok()) << "expected: " << message;
  EXPECT_EQ(file.status().code(), StatusCode::kDataCorrupt);
  EXPECT_THAT(file.status().message(), HasSubstr(message));
}

TEST(SafetensorsTest, ReadsBackWhatItWrote) {
  const Result<SafetensorsFile> file = ParseSafetensors(SerializeSafetensors(TwoTensors()));
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_EQ(file->tensors, TwoTensors().tensors);
  EXPECT_EQ(file->metadata, TwoTensors().metadata);
  EXPECT_TRUE(std::signbit(file->tensors.at("a.bias").values[0]));
}

TEST(SafetensorsTest, WritesTheDocumentedLayout) {
  SafetensorsFile file;
  file.tensors["x"] = {{1}, {1.0F}};
  // 56 characters of JSON are a multiple of 8 already; 1.0F is 00 00 80 3f.
  const std::string header = R"({"x":{"data_offsets":[0,4],"dtype":"F32","shape":[1]}})";
  const std::string padded = header + std::string(8 - header.size() % 8, ' ');
  std::string expected = FileBytes(padded, 4);
  expected[expected.size() - 2] = '\x80';
  expected[expected.size() - 1] = '\x3f';
  EXPECT_EQ(SerializeSafetensors(file), expected);
}

TEST(SafetensorsTest, KeepsScalarsAndEmptyTensorsApart) {
  const Result<SafetensorsFile> file =
      ParseSafetensors(FileBytes(R"({"scalar":{"dtype":"F32","shape":[],"data_offsets":[0,4]},)"
                                 R"("empty":{"dtype":"F32","shape":[0,7],"data_offsets":[4,4]}})",
                                 4));
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_EQ(file->tensors.at("scalar").values.size(), 1U);
  EXPECT_EQ(file->tensors.at("empty").values.size(), 0U);
}

// 1.5, -2, 2^-24 (the smallest F16), infinity.
TEST(SafetensorsTest, ConvertsOtherFloatsToFloat) {
  const std::string header = R"({"f16":{"dtype":"F16","shape":[4],"data_offsets":[0,8]},)"
                             R"("bf16":{"dtype":"BF16","shape":[2],"data_offsets":[8,12]},)"
                             R"("f64":{"dtype":"F64","shape":[1],"data_offsets":[12,20]}})";
  std::string bytes = FileBytes(header, 0);
  const auto append = [&bytes](const auto& elements) {
    bytes.append(reinterpret_cast<const char*>(elements.data()),
                 elements.size() * sizeof(elements[0]));
  };
  append(std::vector<std::uint16_t>{0x3e00, 0xc000, 0x0001, 0x7c00});
  append(std::vector<std::uint16_t>{0x3fc0, 0xc000});
  append(std::vector<double>{0.1});
  const Result<SafetensorsFile> file = ParseSafetensors(bytes);
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_TRUE(file->other_dtypes.empty());
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_THAT(file->tensors.at("f16").values,
              testing::ElementsAre(1.5F, -2.0F, 0x1p-24F, infinity));
  EXPECT_THAT(file->tensors.at("bf16").values, testing::ElementsAre(1.5F, -2.0F));
  EXPECT_THAT(file->tensors.at("f64").values, testing::ElementsAre(0.1F));
}

TEST(SafetensorsTest, NamesWhatAnotherFileIs) {
  const std::string path = testing::TempDir() + "other.safetensors";
  std::ofstream(path) << "version https://git-lfs.github.com/spec/v1\noid sha256:00\n";
  const Status status = ReadSafetensors(path).status();
  EXPECT_EQ(status.code(), StatusCode::kDataCorrupt);
  EXPECT_THAT(status.message(), HasSubstr(path + ": expected a .safetensors file, got a Git LFS"));
  std::ofstream(path) << "PK\x03\x04 and what torch.save() wrote";
  EXPECT_THAT(ReadSafetensors(path).status().message(), HasSubstr("safetensors.torch.save_file"));
  std::filesystem::remove(path);
}

TEST(SafetensorsTest, NamesTensorDtypeAndShapeThatItCannotFind) {
  const Result<SafetensorsFile> file =
      ParseSafetensors(FileBytes(R"({"steps":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},)"
                                 R"("w":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}})",
                                 16));
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_TRUE(file->Find("w", {2}).ok());
  EXPECT_EQ(file->Find("w", {1, 2}).status().message(),
            "expected tensor 'w' F32 [1, 2], got shape [2]");
  EXPECT_EQ(file->Find("steps", {1}).status().message(),
            "expected tensor 'steps' F32 [1], got dtype I64");
  EXPECT_THAT(file->Find("v", {2}).status().message(), HasSubstr("'v' F32 [2]"));
}

TEST(SafetensorsTest, RefusesHeadersLongerThanTheFile) {
  ExpectCorrupt("", "at least 8 bytes");
  ExpectCorrupt("", "got 0: the file ends too early, as half a download does");
  ExpectCorrupt(std::string(7, '\0'), "at least 8 bytes");
  ExpectCorrupt(std::string("\x01\0\0\0\0\0\0\0", 8), "claims 1 bytes");
  ExpectCorrupt(std::string(8, '\xff') + "{}", "claims 18446744073709551615 bytes");
}

TEST(SafetensorsTest, RefusesHeadersThatAreNoObjectOfTensors) {
  ExpectCorrupt(FileBytes("", 0), "no JSON object");
  ExpectCorrupt(FileBytes("[1,2]", 0), "no JSON object");
  ExpectCorrupt(FileBytes("{\"a\":", 0), "no JSON object");
  ExpectCorrupt(FileBytes(std::string(1'000'000, '['), 0), "no JSON object");
  ExpectCorrupt(FileBytes(R"({"a":7})", 0), "tensor 'a': expected {dtype");
  ExpectCorrupt(FileBytes(R"({"__metadata__":{"a":1}})", 0), "is no string");
  ExpectCorrupt(FileBytes(R"({"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}})", 4),
                "expected {dtype");
  ExpectCorrupt(FileBytes(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4),
                "expected {dtype");
  ExpectCorrupt(FileBytes(R"({"a":{"dtype":"F31","shape":[1],"data_offsets":[0,4]}})", 4),
                "unknown dtype 'F31'");
}

TEST(SafetensorsTest, RefusesOffsetsOutsideTheData) {
  ExpectCorrupt(FileBytes(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 4),
                "outside the file's 4 data bytes: the file ends too early");
  ExpectCorrupt(FileBytes(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[8,4]}})", 8),
                "outside the file's 8 data bytes");
}

TEST(SafetensorsTest, RefusesShapesWhoseProductOverflows) {
  // 2^33 * 2^31 * 4 bytes is 2^66, which is 4 modulo 2^64 with one more factor.
  ExpectCorrupt(FileBytes(R"({"a":{"dtype":"F32","shape":[8589934592,2147483648],)"
                          R"("data_offsets":[0,0]}})",
                          0),
                "does not fill its 0 bytes");
  ExpectCorrupt(FileBytes(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", 8),
                "does not fill its 8 bytes");
}

TEST(SafetensorsTest, RefusesGapsOverlapsRepeatsAndLeftovers) {
  const std::string first = R"("a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]})";
  const std::string gap = R"("b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]})";
  const std::string overlap = R"("b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]})";
  ExpectCorrupt(FileBytes("{" + first + "," + gap + "}", 12), "there is a gap");
  ExpectCorrupt(FileBytes("{" + first + "," + overlap + "}", 6), "overlaps another");
  ExpectCorrupt(FileBytes("{" + first + "," + first + "}", 4), "'a' is listed twice");
  ExpectCorrupt(FileBytes("{" + first + "}", 5), "but the file has 5");
}

// Any prefix and any changed byte of the header is an error or another valid file: never a crash
// (run under the address sanitizer, too).
TEST(SafetensorsTest, SurvivesTruncationAndFlippedBytes) {
  const std::string bytes = SerializeSafetensors(TwoTensors());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(ParseSafetensors(bytes.substr(0, size)).ok()) << size;
  }
  std::mt19937 random(20'261'120);
  for (int round = 0; round < 2'000; ++round) {
    std::string changed = bytes;
    for (int flips = 0; flips < 3; ++flips) changed[random() % changed.size()] ^= 1 << random() % 8;
    const Result<SafetensorsFile> file = ParseSafetensors(changed);
    EXPECT_EQ(file.ok(), file.status().message().empty());
  }
}

TEST(SafetensorsTest, NamesThePathOfAFileThatItCannotReadOrWrite) {
  const Result<SafetensorsFile> missing = ReadSafetensors("/nonexistent/w.safetensors");
  EXPECT_EQ(missing.status().code(), StatusCode::kNotFound);
  EXPECT_THAT(missing.status().message(), HasSubstr("/nonexistent/w.safetensors: cannot open"));
  EXPECT_EQ(ReadSafetensors("/").status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(WriteSafetensors("/nonexistent/w.safetensors", TwoTensors()).code(),
            StatusCode::kNotFound);
}

TEST(SafetensorsTest, ReplacesAFileAndLeavesNothingBeside) {
  const std::filesystem::path folder = std::filesystem::path(testing::TempDir()) / "safetensors";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directory(folder);
  const std::string path = folder / "w.safetensors";
  std::ofstream(path) << "old";
  ASSERT_TRUE(WriteSafetensors(path, TwoTensors()).ok());
  const Result<SafetensorsFile> file = ReadSafetensors(path);
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_EQ(file->tensors, TwoTensors().tensors);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 1);
}

}  // namespace
}  // namespace bitpilot
