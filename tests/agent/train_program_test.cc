// `bitpilot train` as a user runs it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/agent/program.h"
#include "tests/agent/small_sample.h"
#include "tests/agent/study_fixture.h"

namespace bitpilot {
namespace {

using testing::HasSubstr;
using Json = nlohmann::json;

class TrainProgramTest : public testing::Test {
 protected:
  TrainProgramTest() { UseSmallSample(); }

  // Two small mini-batches at w2a4.
  ProgramResult Train(const std::string& output, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments = {ProgramPath("bitpilot"),
                                          "train",
                                          "--model",
                                          "resnet8",
                                          "--bits",
                                          "w2a4",
                                          "--batches",
                                          "2",
                                          "--batch-size",
                                          "8",
                                          "--train-threads",
                                          "1",
                                          "--json",
                                          "-o",
                                          folder_.Path(output)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return RunProgram(arguments);
  }

  StudyFolder folder_;
};

TEST_F(TrainProgramTest, TrainsAsManyMiniBatchesAsItIsTold) {
  const ProgramResult trained = Train("a.safetensors");
  ASSERT_EQ(trained.exit_code, 0) << trained.err;
  const Json result = Json::parse(LinesOfType(trained.out, "result").front());
  EXPECT_EQ(result["batches"], 2);
  const ProgramResult both = Train("b.safetensors", {"--epochs", "1"});
  EXPECT_EQ(both.exit_code, 2) << "--batches and --epochs say the same";
  EXPECT_THAT(both.err, HasSubstr("--epochs"));
}

TEST_F(TrainProgramTest, DistilsFromTheTeacherThatIsNamed) {
  ASSERT_EQ(Train("plain.safetensors").exit_code, 0);
  // The float network itself teaches where nobody is named.
  ASSERT_EQ(Train("same.safetensors", {"--teacher", "resnet8:shipped"}).exit_code, 0);
  EXPECT_EQ(ReadBytes(folder_.Path("same.safetensors")),
            ReadBytes(folder_.Path("plain.safetensors")));
  const std::string other = "resnet8:" + folder_.Path("plain.safetensors");
  const ProgramResult taught = Train("taught.safetensors", {"--teacher", other});
  ASSERT_EQ(taught.exit_code, 0) << taught.err;
  EXPECT_NE(ReadBytes(folder_.Path("taught.safetensors")),
            ReadBytes(folder_.Path("plain.safetensors")));
  const ProgramResult neither = Train("x.safetensors", {"--teacher", other, "--no-distill"});
  EXPECT_EQ(neither.exit_code, 2);
  EXPECT_THAT(neither.err, HasSubstr("--no-distill"));
}

}  // namespace
}  // namespace bitpilot
