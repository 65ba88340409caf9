#include "kernels/runtime/kernel_choices.h"
#include "kernels/conv/conv_format.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <random>
#include <set>
#include <sstream>
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

constexpr std::string_view kCore = "a core";

CompiledNetwork Compile(const Network& network, Isa isa, KernelChoices& choices) {
  Result<CompiledNetwork> compiled =
      CompiledNetwork::Create(network, {.isa = isa, .choices = &choices});
  BITPILOT_CHECK(compiled.ok());
  return std::move(compiled).value();
}

TEST(KernelChoicesTest, SurviveTheirText) {
  KernelChoices choices(kCore);
  choices.BeginLease("7.1");
  choices.Remember("first layer", "conv_a", 0.5);
  choices.Remember("second layer", "conv_b", -0.0125);
  choices.Remember("first layer", "conv_c", 0.03125);
  const Result<KernelChoices> parsed = KernelChoices::Parse(choices.ToText(), kCore);
  ASSERT_TRUE(parsed.ok()) << parsed.status().message();
  EXPECT_EQ(parsed->size(), 2U);
  ASSERT_NE(parsed->Find("first layer"), nullptr);
  EXPECT_EQ(parsed->Find("first layer")->kernel, "conv_c");
  EXPECT_NEAR(parsed->Find("first layer")->margin, 0.03125, 1e-4);
  EXPECT_EQ(parsed->Find("first layer")->lease, "7.1");
  EXPECT_NEAR(parsed->Find("second layer")->margin, -0.0125, 1e-4);
  EXPECT_EQ(parsed->Find("third layer"), nullptr);
  EXPECT_EQ(parsed->ToText(), choices.ToText());
}

TEST(KernelChoicesTest, HoldForOneKindOfCoreAndOneBuildOnly) {
  KernelChoices choices(kCore);
  choices.Remember("layer", "kernel", 0.5);
  const std::string text = choices.ToText();
  const Result<KernelChoices> elsewhere = KernelChoices::Parse(text, "another core");
  ASSERT_TRUE(elsewhere.ok()) << elsewhere.status().message();
  EXPECT_EQ(elsewhere->Find("layer"), nullptr);
  EXPECT_EQ(elsewhere->ToText(), text) << "it is kept for the core that it is of";
  std::string other_build = text;
  const std::size_t place = other_build.find(KernelBuildId());
  ASSERT_NE(place, std::string::npos);
  other_build[place] = other_build[place] == '0' ? '1' : '0';
  EXPECT_EQ(KernelChoices::Parse(other_build, kCore).status().code(), StatusCode::kVersionMismatch);
  EXPECT_EQ(KernelChoices::Parse("bitpilot kernel choices 1\ncpu\tx\n", kCore).status().code(),
            StatusCode::kVersionMismatch);
}

TEST(KernelChoicesTest, RefuseDamagedText) {
  KernelChoices choices(kCore);
  choices.BeginLease("1");
  choices.Remember("layer", "kernel", 0.5);
  const std::string text = choices.ToText();
  for (const std::string& damaged :
       {std::string(), std::string("something else\n"), text + "no tab\n",
        text + "core\t\tkernel\t0.5\t1\n", text + "core\tlayer\t\t0.5\t1\n",
        text + "core\tlayer\tkernel\tnan\t1\n", text + "core\tlayer\tkernel\t0.5x\t1\n",
        text + "core\tlayer\tkernel\t0.5\n", text + "core\tlayer\tkernel\t0.5\t1\tmore\n",
        text.substr(0, text.find('\n') + 1)}) {
    EXPECT_EQ(KernelChoices::Parse(damaged, kCore).status().code(), StatusCode::kDataCorrupt)
        << damaged;
  }
}

// By a sure margin for ever; by a small one in the lease that timed it.
TEST(KernelChoicesTest, AreSettledByTheirMarginOrByTheirLease) {
  KernelChoices choices(kCore);
  choices.BeginLease("1");
  choices.Remember("sure", "kernel", KernelChoices::kSureMargin);
  choices.Remember("close", "kernel", KernelChoices::kSureMargin - 0.01);
  EXPECT_TRUE(choices.IsSettled(*choices.Find("sure")));
  EXPECT_TRUE(choices.IsSettled(*choices.Find("close")));
  choices.BeginLease("2");
  EXPECT_TRUE(choices.IsSettled(*choices.Find("sure")));
  EXPECT_FALSE(choices.IsSettled(*choices.Find("close")));
}

TEST(KernelChoicesTest, OfTheClassGoBeforeWhatWasTimedHereAndAreNotKept) {
  KernelChoices of_class(kCore);
  of_class.Remember("shared", "class kernel", 0.01);
  KernelChoices here(kCore);
  here.BeginLease("now");
  here.Remember("shared", "own kernel", 0.01);
  here.Remember("own", "own kernel", 0.01);
  const std::string before = here.ToText();

  here.Adopt(of_class.ToText());
  EXPECT_EQ(here.Find("shared")->kernel, "class kernel");
  EXPECT_EQ(here.Find("own")->kernel, "own kernel");
  here.BeginLease("later");
  EXPECT_TRUE(here.IsSettled(*here.Find("shared")));
  EXPECT_FALSE(here.IsSettled(*here.Find("own")));
  EXPECT_EQ(here.ToText(), before);
  here.Use("shared");
  EXPECT_NE(here.UsedToText().find("class kernel"), std::string::npos);
  EXPECT_EQ(here.UsedToText().find("own kernel"), std::string::npos);

  here.Adopt("");
  EXPECT_EQ(here.Find("shared")->kernel, "own kernel");
  // Of another kind of core, of another build, and no such text at all.
  KernelChoices other_core("another core");
  other_core.Remember("shared", "class kernel", 0.01);
  std::string other_build = of_class.ToText();
  other_build.replace(other_build.find("kernels\t") + 8, 1, "?");
  for (const std::string& text : {other_core.ToText(), other_build, std::string("noise")}) {
    here.Adopt(text);
    EXPECT_EQ(here.Find("shared")->kernel, "own kernel") << text;
  }
  // A kernel that this board does not have: what is timed instead is its own.
  here.Adopt(of_class.ToText());
  here.Remember("shared", "what runs here", 0.2);
  EXPECT_EQ(here.Find("shared")->kernel, "what runs here");
}

TEST(KernelChoicesTest, HashTheLayersUsedAndTheirKernels) {
  KernelChoices choices(kCore);
  EXPECT_EQ(choices.HashOfUsed(), "");
  choices.Remember("a", "kernel 1", 0.5);
  choices.Remember("b", "kernel 1", 0.5);
  EXPECT_EQ(choices.HashOfUsed(), "") << "remembered, but by no network";
  choices.Use("b");
  choices.Use("a");
  choices.Use("a");
  const std::string hash = choices.HashOfUsed();
  EXPECT_EQ(hash.size(), 12U);
  choices.ForgetUses();
  choices.Use("a");
  EXPECT_NE(choices.HashOfUsed(), hash);
  choices.Use("b");
  EXPECT_EQ(choices.HashOfUsed(), hash);
  choices.Remember("b", "kernel 1", 0.02);
  EXPECT_EQ(choices.HashOfUsed(), hash) << "the margin changes no plan";
  choices.Remember("b", "kernel 2", 0.5);
  EXPECT_NE(choices.HashOfUsed(), hash);
}

TEST(ConvCandidatesTest, AreAFewExactKernelsOfDifferentKinds) {
  for (const Isa limit : AllIsas()) {
    for (int weight_bits = 1; weight_bits <= 8; ++weight_bits) {
      for (int activation_bits = 1; activation_bits <= 8; ++activation_bits) {
        for (const int pixels : {1, 64}) {
          const auto candidates = ConvCandidates(limit, weight_bits, activation_bits, pixels);
          ASSERT_GE(candidates.size(), 1U);
          ASSERT_LE(candidates.size(), 4U);
          for (const ConvKernel* kernel : candidates) {
            EXPECT_TRUE(Allows(limit, kernel->features)) << kernel->name;
            EXPECT_LE(weight_bits, kernel->max_weight_bits) << kernel->name;
            EXPECT_LE(activation_bits, kernel->max_activation_bits) << kernel->name;
            EXPECT_TRUE(kernel->format->SuitsPixels(pixels)) << kernel->name;
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

// Of layers with 64 pixels or more at w1a1, which have the same candidates. First and last layer have others:
// the one reads 8 bits, the other has one pixel.
bool IsInner(std::string_view layer) {
  return layer.find(" w1a1") != std::string_view::npos &&
         layer.find(" out 10x1x1 ") == std::string_view::npos;
}

std::size_t NumInner(const KernelChoices& choices) {
  std::istringstream lines(choices.ToText());
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line);) count += IsInner(line) ? 1 : 0;
  return count;
}

// `choices` with another kernel and margin for every inner layer, in the lease "the lease that timed them";
// the others' are sure.
KernelChoices WithInner(const KernelChoices& choices, std::string_view kernel, double margin) {
  std::string text;
  std::istringstream lines(choices.ToText());
  for (std::string line; std::getline(lines, line);) {
    std::size_t end = line.find('\t');  // of the core
    if (end != std::string::npos) end = line.find('\t', end + 1);
    if (end != std::string::npos) {
      const std::size_t own_end = line.find('\t', end + 1);
      const std::string own = line.substr(end + 1, own_end - end - 1);
      const bool is_inner = IsInner(line);
      line = line.substr(0, end) + '\t' + (is_inner ? std::string(kernel) : own) + '\t' +
             std::to_string(is_inner ? margin : 0.5) + "\tthe lease that timed them";
    }
    text += line + '\n';
  }
  return KernelChoices::Parse(text, kCore).value();
}

class TimedChoiceTest : public ::testing::TestWithParam<Isa> {};

TEST_P(TimedChoiceTest, KeepsNetworksExact) {
  KernelChoices choices(kCore);
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
  KernelChoices choices(kCore);
  const CompiledNetwork first = Compile(network, GetParam(), choices);
  const std::string before = choices.ToText();
  const CompiledNetwork second = Compile(network, GetParam(), choices);
  EXPECT_EQ(choices.ToText(), before);
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
  KernelChoices timed(kCore);
  Compile(network, GetParam(), timed);
  for (const ConvKernel* wanted : candidates) {
    KernelChoices choices = WithInner(timed, wanted->name, /*margin=*/0.5);
    EXPECT_EQ(Compile(network, GetParam(), choices).kernel_name(1), wanted->name);
    EXPECT_EQ(choices.num_timed(), 0U);
  }
  // The class's goes before it, by whatever margin.
  for (const ConvKernel* wanted : candidates) {
    KernelChoices choices = WithInner(timed, candidates.front()->name, /*margin=*/0.5);
    choices.Adopt(WithInner(timed, wanted->name, /*margin=*/0.01).ToText());
    EXPECT_EQ(Compile(network, GetParam(), choices).kernel_name(1), wanted->name);
    EXPECT_EQ(choices.num_timed(), 0U);
  }
  KernelChoices edited = WithInner(timed, "no such kernel", /*margin=*/0.5);
  Compile(network, GetParam(), edited);
  EXPECT_GT(NumInner(timed), 3U);
  EXPECT_EQ(edited.num_timed(), NumInner(timed));
}

// A choice that may be wrong gets another look, but never while somebody compares networks.
TEST_P(TimedChoiceTest, IsTimedAgainByTheNextLeaseWhereTheMarginIsSmall) {
  const auto candidates = ConvCandidates(GetParam(), 1, 1, /*output_pixels=*/64);
  if (candidates.size() < 2) GTEST_SKIP() << "one kernel only: nothing to choose";
  const Topology topology = StandardTopology("resnet8").value();
  const Network network = RandomNetwork(topology, UniformAssignment(topology, 1, 1), /*seed=*/1);
  KernelChoices timed(kCore);
  Compile(network, GetParam(), timed);
  KernelChoices close = WithInner(timed, candidates.front()->name, /*margin=*/0.01);
  close.BeginLease("the lease that timed them");
  Compile(network, GetParam(), close);
  EXPECT_EQ(close.num_timed(), 0U);
  close.BeginLease("another lease");
  Compile(network, GetParam(), close);
  EXPECT_EQ(close.num_timed(), NumInner(timed));
  const std::string hash = close.HashOfUsed();
  Compile(network, GetParam(), close);
  EXPECT_EQ(close.num_timed(), NumInner(timed)) << "once a lease";
  EXPECT_EQ(close.HashOfUsed(), hash);
}

// Every figure that the plan of a layer is made from makes another layer of it.
TEST(ConvLayerKeyTest, HoldsEveryInputOfThePlan) {
  const Topology topology = StandardTopology("resnet8").value();
  const Network network = RandomNetwork(topology, UniformAssignment(topology, 4, 4), /*seed=*/1);
  constexpr int kLayer = 1;
  const auto key_of = [](const Network& of, Isa isa = Isa::kScalar, int weight_bits = 4) {
    const ArenaPlan plan = PlanArena(of);
    return ConvLayerKey({of, plan, isa, kLayer, nullptr, {}}, weight_bits);
  };
  const std::string key = key_of(network);
  EXPECT_EQ(key_of(network), key);
  EXPECT_NE(key_of(network, Isa::kAvx2), key);
  EXPECT_NE(key_of(network, Isa::kScalar, 3), key);
  const std::vector<std::function<void(Network&)>> changes = {
      [](Network& n) { n.tensors[kLayer].zero_point = 3; },
      [](Network& n) { n.tensors[kLayer].bits = 3; },
      [](Network& n) { n.tensors[kLayer + 1].zero_point = 3; },      // or another lowest code
      [](Network& n) { n.operations[kLayer].output.code_max = 3; },  // found by thresholds
      [](Network& n) { n.operations[kLayer].output.scale[0] = 1e9F; },
      [](Network& n) {
        n.topology.operations[kLayer].padding = {0, 0, 2, 2};
      },
      [](Network& n) { n.topology.operations[kLayer].stride_h = 2; },
      [](Network& n) { n.topology.operations[kLayer].groups = 2; },
      [](Network& n) {
        n.topology.operations[kLayer + 1].padding = {2, 2, 2, 2};
      },  // its halo
      [](Network& n) { n.topology.operations[kLayer].kernel_w = 1; },
      [](Network& n) { n.topology.operations[kLayer].residual = 1; }};
  std::set<std::string> keys = {key};
  for (const auto& change : changes) {
    Network changed = network;
    change(changed);
    keys.insert(key_of(changed));
  }
  EXPECT_EQ(keys.size(), changes.size() + 1);
}

INSTANTIATE_TEST_SUITE_P(AllIsas, TimedChoiceTest, ::testing::ValuesIn(SupportedIsas()),
                         [](const auto& param) {
                           std::string name(ToString(param.param));
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace bitpilot
