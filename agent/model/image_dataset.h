// Labelled images in memory, and the readers that make them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "kernels/base/status.h"
#include "kernels/base/topology.h"

namespace bitpilot {

struct ImageDataset {
  std::string name;  // for messages
  TensorShape shape{32, 32, 3};
  std::vector<std::uint8_t> pixels;  // [N, C, H, W]
  std::vector<std::uint8_t> labels;  // [N]

  std::size_t size() const { return labels.size(); }
  std::span<const std::uint8_t> image(std::size_t index) const;  // [C, H, W]
  // Records [begin, end), copied.
  ImageDataset Slice(std::size_t begin, std::size_t end) const;
  // Hex SHA-256 over labels and pixels: identifies the data in a study.
  std::string Fingerprint() const;
};

// Reads CIFAR-10's "binary version" (per record 1 label byte, then 3072 planar bytes); `path` may
// end in .xz.
//
// Errors: kNotFound, kDataCorrupt (size is no multiple of 3073; a label above 9; broken xz): the
// message names the file and the offending size or record, or what the file is instead
// (agent/model/file_kind.h).
Result<ImageDataset> ReadCifar10File(const std::string& path);

// What a search needs, split as the data section of the README says: the search reads `validation`
// (and `train`), `test` is read once, at the end.
struct DataSplits {
  ImageDataset train;
  ImageDataset validation;
  ImageDataset test;
};

// `source`: "sample" (what this repository ships) or a folder with train_1..5.bin[.xz] (or
// data_batch_1..5.bin) and test.bin[.xz] (or test_batch.bin), in it or in cifar-10-batches-bin/
// below it: records 0-2,999 of the test file are validation, the rest is test.
//
// Errors: ReadCifar10File()'s; kNotFound if no such folder or file is there, with what is there
// instead; kInvalidArgument if the test file has no records for the test.
Result<DataSplits> LoadDataSplits(const std::string& source);

}  // namespace bitpilot
