#include "agent/cli/train_checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "kernels/base/sha256.h"

namespace bitpilot {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

TrainRecipe Recipe() {
  return {.weights_sha256 = "aa",
          .data_sha256 = "bb",
          .teacher = "resnet56",
          .teacher_sha256 = "cc",
          .distill = true,
          .learning_rate = 2e-4,
          .batch_size = 16,
          .batches = 100};
}

std::string Saved(std::vector<int> threads = {3}) {
  TrainCheckpoint checkpoint;
  checkpoint.recipe = Recipe();
  checkpoint.threads = std::move(threads);
  checkpoint.state = std::string("BPCKPT\n\0x", 9);
  return FormatTrainCheckpoint(checkpoint);
}

// A file with this third line and an honest checksum.
std::string WithHead(const std::string& line) {
  return "bitpilot-train 1\nsha256 " + Sha256Hex(line) + "\n" + line;
}

TEST(TrainCheckpointTest, HoldsHowItTrainsBesideTheState) {
  const Result<TrainCheckpoint> read = ParseTrainCheckpoint(Saved({3, 1}));
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_THAT(read->threads, ElementsAre(3, 1));
  ASSERT_TRUE(read->recipe.has_value());
  EXPECT_TRUE(CheckSameRecipe(*read->recipe, Recipe()).ok());
  EXPECT_EQ(read->state, std::string("BPCKPT\n\0x", 9));
}

TEST(TrainCheckpointTest, ReadsAnOlderFileOfAStateAlone) {
  const Result<TrainCheckpoint> read = ParseTrainCheckpoint("BPCKPT02...");
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_FALSE(read->recipe.has_value());
  EXPECT_THAT(read->threads, ElementsAre(0));
  EXPECT_EQ(read->state, "BPCKPT02...");
}

TEST(TrainCheckpointTest, RefusesADamagedHead) {
  const std::string whole = Saved();
  const std::string line = whole.substr(whole.find('{'));
  ASSERT_TRUE(ParseTrainCheckpoint(WithHead(line)).ok());
  const auto with_threads = [&](const std::string& threads) {
    std::string changed = line;
    return WithHead(changed.replace(changed.find("[3]"), 3, threads));
  };
  for (const std::string& bytes :
       {std::string("bitpilot-train 2\nsha256 x\n"), std::string("bitpilot-train "),
        std::string("bitpilot-train 1\nthreads 2\nx"), whole.substr(0, whole.size() - 1),
        whole.substr(0, 60), WithHead("{}"), WithHead("no JSON"), with_threads("[65]"),
        with_threads("[]"), with_threads("[2,0]"), with_threads("\"two\"")}) {
    EXPECT_EQ(ParseTrainCheckpoint(bytes).status().code(), StatusCode::kDataCorrupt) << bytes;
  }
}

// A digit that flips is another number of threads, or another rate.
TEST(TrainCheckpointTest, RefusesEveryFlippedBit) {
  const std::string whole = Saved();
  for (std::size_t i = std::string("bitpilot-train ").size(); i < whole.size(); ++i) {
    std::string changed = whole;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_EQ(ParseTrainCheckpoint(changed).status().code(), StatusCode::kDataCorrupt) << i;
  }
}

TEST(TrainCheckpointTest, NamesEveryFlagThatDiffers) {
  const auto difference = [](const std::function<void(TrainRecipe&)>& change) {
    TrainRecipe now = Recipe();
    change(now);
    const Status status = CheckSameRecipe(Recipe(), now);
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    return status.message();
  };
  EXPECT_THAT(difference([](TrainRecipe& now) { now.weights_sha256 = "a0"; }),
              HasSubstr("--weights (SHA-256) was aa, now it is a0"));
  EXPECT_THAT(difference([](TrainRecipe& now) { now.data_sha256 = "b0"; }),
              HasSubstr("--data (SHA-256) was bb, now it is b0"));
  EXPECT_THAT(difference([](TrainRecipe& now) { now.teacher = now.teacher_sha256 = ""; }),
              HasSubstr("was resnet56, SHA-256 cc, now it is the float network"));
  EXPECT_THAT(difference([](TrainRecipe& now) { now.teacher_sha256 = "c0"; }),
              AllOf(HasSubstr("--teacher"), HasSubstr("now it is resnet56, SHA-256 c0")));
  EXPECT_THAT(difference([](TrainRecipe& now) { now.distill = false; }),
              AllOf(HasSubstr("--no-distill"), HasSubstr("now it is none")));
  EXPECT_THAT(difference([](TrainRecipe& now) { now.learning_rate = 0.5; }),
              HasSubstr("--learning-rate was 0.0002, now it is 0.5"));
  EXPECT_THAT(difference([](TrainRecipe& now) { now.batches = 1; }),
              AllOf(HasSubstr("--batches, --epochs"),
                    HasSubstr("was 100 mini-batches, now it is 1 mini-batch")));
  EXPECT_THAT(
      difference([](TrainRecipe& now) {
        now.batch_size = 32;
        now.batches = 50;
      }),
      AllOf(HasSubstr("--batch-size was 16, now it is 32; "), HasSubstr("50 mini-batches")));
}

TEST(TrainCheckpointTest, SaysAsItBeganOnlyIfItAlwaysHadAsMany) {
  EXPECT_EQ(DescribeThreads({2}, 2), "goes on with 2 training threads, as it began");
  EXPECT_THAT(DescribeThreads({2}, 1), HasSubstr("1 training thread, not with the 2 that it had"));
  EXPECT_THAT(WithThreads({2}, 1), ElementsAre(2, 1));
  EXPECT_THAT(WithThreads({2, 1}, 1), ElementsAre(2, 1));
  EXPECT_EQ(DescribeThreads({2, 1}, 1),
            "goes on with 1 training thread, as it went on before; it had 2, then 1: its weights "
            "will be slightly other ones");
  EXPECT_THAT(DescribeThreads({2, 1}, 2), HasSubstr("not with the 1 that it had"));
  EXPECT_THAT(DescribeThreads({0}, 1), HasSubstr("does not say how many"));
  EXPECT_THAT(DescribeThreads(WithThreads({0}, 1), 1),
              HasSubstr("it had a number that is not known, then 1"));
}

}  // namespace
}  // namespace bitpilot
