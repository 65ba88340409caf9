#include "agent/cli/train_checkpoint.h"

#include <gtest/gtest.h>

namespace bitpilot {
namespace {

TEST(TrainCheckpointTest, HoldsTheThreadsBesideTheState) {
  const std::string state("BPCKPT\n\0x", 9);
  const Result<TrainCheckpoint> read = ParseTrainCheckpoint(FormatTrainCheckpoint(3, state));
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(read->threads, 3);
  EXPECT_EQ(read->state, state);
}

TEST(TrainCheckpointTest, ReadsAnOlderFileWithoutThreads) {
  const Result<TrainCheckpoint> read = ParseTrainCheckpoint("BPCKPT02...");
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_FALSE(read->threads.has_value());
  EXPECT_EQ(read->state, "BPCKPT02...");
}

TEST(TrainCheckpointTest, RefusesADamagedHead) {
  for (const char* bytes : {"bitpilot-train 2\nthreads 1\n", "bitpilot-train 1\nthreads 1",
                            "bitpilot-train 1\nthreads 0\nx", "bitpilot-train 1\nthreads 65\nx",
                            "bitpilot-train 1\nthreads\nx", "bitpilot-train "}) {
    EXPECT_EQ(ParseTrainCheckpoint(bytes).status().code(), StatusCode::kDataCorrupt) << bytes;
  }
}

}  // namespace
}  // namespace bitpilot
