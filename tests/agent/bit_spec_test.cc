#include "agent/model/bit_spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "kernels/base/standard_networks.h"
#include "tests/agent/study_fixture.h"

namespace bitpilot {
namespace {

using testing::HasSubstr;

Topology ResNet8() { return StandardTopology("resnet8").value(); }

TEST(ParseBitSpecTest, ReadsUniformWidthsWithEightBitEnds) {
  const auto assignment = ParseBitSpec("w4a3", ResNet8());
  ASSERT_TRUE(assignment.ok()) << assignment.status().message();
  EXPECT_EQ(*assignment, UniformAssignment(ResNet8(), 4, 3));
  EXPECT_EQ(assignment->weight_bits.front().front().bits, 8);
}

TEST(ParseBitSpecTest, RefusesWidthsOutsideOneToEight) {
  for (const char* spec : {"w9a4", "w4a0", "w0a8", "w-1a4"}) {
    const auto assignment = ParseBitSpec(spec, ResNet8());
    EXPECT_EQ(assignment.status().code(), StatusCode::kInvalidArgument) << spec;
    EXPECT_THAT(assignment.status().message(), HasSubstr("1..8")) << spec;
  }
}

TEST(ParseBitSpecTest, SaysThatNeitherFormNorFileWasFound) {
  for (const char* spec : {"", "w4", "w4a4x", "nowhere"}) {
    EXPECT_EQ(ParseBitSpec(spec, ResNet8()).status().code(), StatusCode::kInvalidArgument) << spec;
  }
  for (const char* path : {"nowhere.json", "no/where"}) {
    EXPECT_EQ(ParseBitSpec(path, ResNet8()).status().code(), StatusCode::kNotFound) << path;
  }
}

TEST(AssignmentFromJsonTest, ReadsBackWhatAssignmentToJsonWrote) {
  const Topology topology = ResNet8();
  BitAssignment assignment = UniformAssignment(topology, 4, 5);
  assignment.weight_bits[2] = {{6, 2}, {4, 7}, {6, 2}};  // 16 channels, runs that repeat
  const auto read = AssignmentFromJson(topology, AssignmentToJson(topology, assignment), "test");
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(*read, assignment);
  const auto canonical = ParseCanonicalAssignment(topology, CanonicalText(assignment));
  ASSERT_TRUE(canonical.ok()) << canonical.status().message();
  EXPECT_EQ(*canonical, assignment);
}

TEST(AssignmentFromJsonTest, NamesTheTensorOfAWrongNameOrLength) {
  const Topology topology = ResNet8();
  nlohmann::json json = AssignmentToJson(topology, UniformAssignment(topology, 4, 4));
  nlohmann::json wrong_name = json;
  wrong_name["activation_names"][3] = "elsewhere";
  EXPECT_THAT(AssignmentFromJson(topology, wrong_name, "f.json").status().message(),
              testing::AllOf(HasSubstr("f.json"), HasSubstr(TensorName(topology, 3)),
                             HasSubstr("elsewhere")));
  nlohmann::json short_names = json;
  short_names["activation_names"].erase(short_names["activation_names"].size() - 1);
  EXPECT_THAT(AssignmentFromJson(topology, short_names, "f.json").status().message(),
              HasSubstr(TensorName(topology, topology.num_stored_tensors() - 1)));
  nlohmann::json no_names = json;
  no_names.erase("activation_names");
  EXPECT_FALSE(AssignmentFromJson(topology, no_names, "f.json").ok());
}

TEST(AssignmentFromJsonTest, RefusesHostileValues) {
  const Topology topology = ResNet8();
  const nlohmann::json good = AssignmentToJson(topology, UniformAssignment(topology, 4, 4));
  for (const auto& bits :
       {nlohmann::json(9), nlohmann::json(-1), nlohmann::json(2.5), nlohmann::json("4"),
        nlohmann::json::array({{15, 4}}), nlohmann::json::array({4, 4}), nlohmann::json(nullptr)}) {
    nlohmann::json bad = good;
    bad["weight_bits"][1] = bits;
    EXPECT_EQ(AssignmentFromJson(topology, bad, "f").status().code(), StatusCode::kInvalidArgument)
        << bits;
  }
  nlohmann::json missing_layer = good;
  missing_layer["weight_bits"].erase(0);
  EXPECT_THAT(AssignmentFromJson(topology, missing_layer, "f").status().message(),
              HasSubstr("weight_bits has 9"));
}

TEST(ParseBitSpecTest, ReadsAFileAndNamesItInErrors) {
  const Topology topology = ResNet8();
  StudyFolder folder;
  const std::string path = folder.Path("bits.json");
  std::ofstream(path) << AssignmentToJson(topology, UniformAssignment(topology, 3, 6)).dump();
  EXPECT_EQ(ParseBitSpec(path, topology).value(), UniformAssignment(topology, 3, 6));
  std::ofstream(path) << "{";
  EXPECT_THAT(ParseBitSpec(path, topology).status().message(), HasSubstr(path));
  EXPECT_EQ(ParseBitSpec(path, topology).status().code(), StatusCode::kDataCorrupt);
  std::ofstream(path) << "{}";
  EXPECT_EQ(ParseBitSpec(path, topology).status().code(), StatusCode::kDataCorrupt);
}

}  // namespace
}  // namespace bitpilot
