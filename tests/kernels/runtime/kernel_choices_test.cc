#include "kernels/runtime/kernel_choices.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "kernels/base/standard_networks.h"
#include "kernels/compiled_network.h"
#include "kernels/reference.h"
#include "kernels/runtime/conv_tuner.h"
#include "kernels/runtime/kernel_build_id.h"
#include "tests/kernels/random_networks.h"
#include "tests/kernels/random_topology.h"

namespace bitpilot {
namespace {

constexpr std::string_view kCpu = "a CPU";

CompiledNetwork Compile(const Network& network, Isa isa, KernelChoices& choices) {
  Result<CompiledNetwork> compiled =
      CompiledNetwork::Create(network, {.isa = isa, .choices = &choices});
  BITPILOT_CHECK(compiled.ok());
  return std::move(compiled).value();
}

TEST(KernelChoicesTest, SurviveTheirText) {
  KernelChoices choices;
  choices.Remember("first layer", "conv_a");
  choices.Remember("second layer", "conv_b");
  choices.Remember("first layer", "conv_c");
  const Result<KernelChoices> parsed = KernelChoices::Parse(choices.ToText(kCpu), kCpu);
  ASSERT_TRUE(parsed.ok()) << parsed.status().message();
  EXPECT_EQ(parsed->size(), 2U);
  EXPECT_EQ(parsed->Find("first layer"), "conv_c");
  EXPECT_EQ(parsed->Find("second layer"), "conv_b");
  EXPECT_EQ(parsed->Find("third layer"), "");
}

TEST(KernelChoicesTest, HoldForOneCpuAndOneBuildOnly) {
  const std::string text = KernelChoices().ToText(kCpu);
  EXPECT_EQ(KernelChoices::Parse(text, "another CPU").status().code(),
            StatusCode::kVersionMismatch);
  std::string other_build = text;
  const std::size_t place = other_build.find(KernelBuildId());
  ASSERT_NE(place, std::string::npos);
  other_build[place] = other_build[place] == '0' ? '1' : '0';
  EXPECT_EQ(KernelChoices::Parse(other_build, kCpu).status().code(), StatusCode::kVersionMismatch);
}

TEST(KernelChoicesTest, RefuseDamagedText) {
  KernelChoices choices;
  choices.Remember("layer", "kernel");
  const std::string text = choices.ToText(kCpu);
  for (const std::string& damaged :
       {std::string(), std::string("something else\n"), text + "no tab\n", text + "\tkernel\n",
        text + "layer\t\n", text.substr(0, text.find('\n') + 1)}) {
    EXPECT_EQ(KernelChoices::Parse(damaged, kCpu).status().code(), StatusCode::kDataCorrupt)
        << damaged;
  }
}

TEST(ConvCandidatesTest, AreAFewExactKernelsOfDifferentKinds) {
  for (const Isa limit : {Isa::kScalar, Isa::kScalarPopcnt, Isa::kSse4, Isa::kAvx2, Isa::kAvxVnni,
                          Isa::kAvx512Vnni, Isa::kAmx}) {
    for (int weight_bits = 1; weight_bits <= 8; ++weight_bits) {
      for (int activation_bits = 1; activation_bits <= 8; ++activation_bits) {
        for (const int pixels : {1, 64}) {
          const auto candidates = ConvCandidates(limit, weight_bits, activation_bits, pixels);
          ASSERT_GE(candidates.size(), 1U);
          ASSERT_LE(candidates.size(), 4U);
          for (const ConvKernel* kernel : candidates) {
            EXPECT_TRUE(Allows(limit, kernel->isa)) << kernel->name;
            EXPECT_LE(weight_bits, kernel->max_weight_bits) << kernel->name;
            EXPECT_LE(activation_bits, kernel->max_activation_bits) << kernel->name;
            EXPECT_TRUE(SuitsPixels(*kernel, pixels)) << kernel->name;
          }
        }
      }
    }
  }
}

// What the table's order would choose is among those that are timed.
TEST(ConvCandidatesTest, IncludeTheTablesChoice) {
  constexpr std::ptrdiff_t kDepth = 576;
  for (const Isa limit : SupportedIsas()) {
    for (int bits = 1; bits <= 8; ++bits) {
      for (const int pixels : {1, 64}) {
        const auto candidates = ConvCandidates(limit, bits, bits, pixels);
        EXPECT_NE(std::find(candidates.begin(), candidates.end(),
                            &SelectConvKernel(limit, bits, bits, kDepth, pixels)),
                  candidates.end())
            << ToString(limit) << ' ' << bits;
      }
    }
  }
}

class TimedChoiceTest : public ::testing::TestWithParam<Isa> {};

TEST_P(TimedChoiceTest, KeepsNetworksExact) {
  KernelChoices choices;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    const Topology topology = RandomTopologyMaker(seed).Make(5);
    const Network network = RandomNetwork(topology, RandomAssignment(topology, seed), seed);
    CompiledNetwork compiled = Compile(network, GetParam(), choices);
    std::mt19937_64 random(seed);
    std::vector<std::uint8_t> pixels(static_cast<std::size_t>(network.input_bytes()));
    std::generate(pixels.begin(), pixels.end(), [&random] { return std::uint8_t(random()); });
    std::vector<float> logits(static_cast<std::size_t>(network.num_classes()));
    compiled.Run(pixels, logits);
    ASSERT_EQ(logits, RunReference(network, pixels));
  }
}

TEST_P(TimedChoiceTest, IsMadeOnceForEqualLayers) {
  const Topology topology = StandardTopology("resnet8").value();
  const Network network = RandomNetwork(topology, UniformAssignment(topology, 1, 1), /*seed=*/1);
  KernelChoices choices;
  const CompiledNetwork first = Compile(network, GetParam(), choices);
  const std::string before = choices.ToText(kCpu);
  const CompiledNetwork second = Compile(network, GetParam(), choices);
  EXPECT_EQ(choices.ToText(kCpu), before);
  for (int i = 0; i < first.num_operations(); ++i) {
    EXPECT_EQ(first.kernel_name(i), second.kernel_name(i));
  }
}

// A remembered kernel runs, whatever the clock would say now; a name that is no candidate, as a
// file edited by hand may have, is timed again.
TEST_P(TimedChoiceTest, FollowsWhatWasRemembered) {
  const auto candidates = ConvCandidates(GetParam(), 1, 1, /*output_pixels=*/64);
  if (candidates.size() < 2) GTEST_SKIP() << "one kernel only: nothing to choose";
  const Topology topology = StandardTopology("resnet8").value();
  const Network network = RandomNetwork(topology, UniformAssignment(topology, 1, 1), /*seed=*/1);
  KernelChoices timed;
  Compile(network, GetParam(), timed);
  for (const ConvKernel* wanted : candidates) {
    KernelChoices choices;
    std::string text = timed.ToText(kCpu);
    for (const ConvKernel* other : candidates) {
      for (std::size_t at; (at = text.find(other->name)) != std::string::npos;) {
        text.replace(at, other->name.size(), "WANTED");
      }
    }
    for (std::size_t at; (at = text.find("WANTED")) != std::string::npos;) {
      text.replace(at, 6, wanted->name);
    }
    choices = KernelChoices::Parse(text, kCpu).value();
    EXPECT_EQ(Compile(network, GetParam(), choices).kernel_name(1), wanted->name);
  }
}

INSTANTIATE_TEST_SUITE_P(AllIsas, TimedChoiceTest, ::testing::ValuesIn(SupportedIsas()),
                         [](const auto& param) {
                           std::string name(ToString(param.param));
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace bitpilot
