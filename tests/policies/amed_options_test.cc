#include "policies/amed_options.h"

#include <gtest/gtest.h>

#include <string>

namespace bitpilot {
namespace {

TEST(AmedOptionsTest, ReadsBackWhatItWrites) {
  AmedOptions options;
  options.train_while_searching = false;
  options.training_steps = {0, 3};
  options.targets = 7;
  options.worlds = 2;
  options.steps_considered = 5;
  options.least_gain = 0.1;
  options.least_gain_of_training = 0.0;
  EXPECT_EQ(AmedOptionsFromJson(ToJson(options)).value(), options);
  EXPECT_EQ(AmedOptionsFromJson("{}").value(), AmedOptions());
}

TEST(AmedOptionsTest, NamesTheFieldThatIsWrong) {
  for (const char* field : {"targets", "worlds", "steps_considered", "least_gain",
                            "least_gain_of_training", "training_steps", "train_while_searching"}) {
    const auto options = AmedOptionsFromJson("{\"" + std::string(field) + "\": -1}");
    ASSERT_FALSE(options.ok()) << field;
    EXPECT_NE(options.status().message().find(field), std::string::npos);
  }
  EXPECT_FALSE(AmedOptionsFromJson("{\"training_steps\": [2, 1]}").ok());
  EXPECT_FALSE(AmedOptionsFromJson("{\"another\": 1}").ok());
  EXPECT_FALSE(AmedOptionsFromJson("no JSON").ok());
}

}  // namespace
}  // namespace bitpilot
