#include "agent/qat/teacher_logits.h"

#include <gtest/gtest.h>

#include <vector>

#include "agent/model/float_weights.h"
#include "tests/agent/sample_model.h"

namespace bitpilot {
namespace {

class TeacherLogitsTest : public testing::Test {
 protected:
  TeacherLogitsTest()
      : teacher_(Resnet8(),
                 LoadFloatWeights(Resnet8(), ShippedWeightsFile("resnet8").value()).value()) {}

  FloatNetwork teacher_;
  TeacherLogits logits_;
  std::vector<std::uint32_t> indices_{7, 3};
  std::vector<Augmentation> augmentations_{{1, -2, true}, {0, 4, false}};
};

TEST_F(TeacherLogitsTest, AsksTheTeacherOnceForTheSamePixels) {
  const at::Tensor first = logits_.Of(teacher_, Sample().train, indices_, augmentations_);
  EXPECT_TRUE(first.equal(teacher_.Teach(Sample().train, indices_, augmentations_)));
  const ImageDataset copy = Sample().train.Slice(0, 20);
  EXPECT_TRUE(logits_.Of(teacher_, copy, indices_, augmentations_).is_same(first));
}

TEST_F(TeacherLogitsTest, OtherImagesInTheSameMemoryAreOtherPixels) {
  ImageDataset images = Sample().train.Slice(0, 20);
  const at::Tensor first = logits_.Of(teacher_, images, indices_, augmentations_);
  images.pixels = Sample().train.Slice(20, 40).pixels;
  const at::Tensor second = logits_.Of(teacher_, images, indices_, augmentations_);
  EXPECT_FALSE(second.equal(first));
  EXPECT_TRUE(second.equal(teacher_.Teach(images, indices_, augmentations_)));
}

TEST_F(TeacherLogitsTest, OtherCutsOfTheSameImagesAreOtherPixels) {
  const at::Tensor first = logits_.Of(teacher_, Sample().train, indices_, augmentations_);
  augmentations_[1].flip = true;
  EXPECT_FALSE(logits_.Of(teacher_, Sample().train, indices_, augmentations_).equal(first));
  EXPECT_FALSE(logits_.Of(teacher_, Sample().train, indices_, {}).equal(first));
}

TEST_F(TeacherLogitsTest, KnowsNothingAfterItForgot) {
  const at::Tensor first = logits_.Of(teacher_, Sample().train, indices_, augmentations_);
  logits_.Forget();
  EXPECT_FALSE(logits_.Of(teacher_, Sample().train, indices_, augmentations_).is_same(first));
}

// Ten values an image: of a mini-batch of two, what is around them is more.
TEST_F(TeacherLogitsTest, CountsAllThatAnEntryTakes) {
  const at::Tensor first = logits_.Of(teacher_, Sample().train, indices_, augmentations_);
  EXPECT_GE(logits_.bytes(), 2 * 10 * sizeof(float) + sizeof(c10::TensorImpl));
  TeacherLogits small(3 * 2 * 10 * sizeof(float));
  small.Of(teacher_, Sample().train, indices_, augmentations_);
  EXPECT_EQ(small.bytes(), 0U);
  logits_.Forget();
  EXPECT_EQ(logits_.bytes(), 0U);
}

// A search begins with the same mini-batches again and again.
TEST_F(TeacherLogitsTest, KeepsTheOldestWhereThereIsNoRoomForAll) {
  logits_.Of(teacher_, Sample().train, indices_, augmentations_);
  TeacherLogits two(2 * logits_.bytes());
  std::vector<std::vector<std::uint32_t>> batches = {{1, 2}, {3, 4}, {5, 6}};
  std::vector<at::Tensor> first;
  for (const auto& batch : batches) {
    first.push_back(two.Of(teacher_, Sample().train, batch, augmentations_));
  }
  EXPECT_EQ(two.bytes(), 2 * logits_.bytes());
  for (std::size_t i = 0; i < batches.size(); ++i) {
    const at::Tensor again = two.Of(teacher_, Sample().train, batches[i], augmentations_);
    EXPECT_EQ(again.is_same(first[i]), i < 2) << i;
    EXPECT_TRUE(again.equal(first[i])) << i;
  }
}

}  // namespace
}  // namespace bitpilot
