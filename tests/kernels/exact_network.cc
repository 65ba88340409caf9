#include "tests/kernels/exact_network.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <utility>

#include "kernels/base/check.h"
#include "kernels/base/standard_networks.h"
#include "kernels/reference.h"
#include "tests/kernels/largest_allocation.h"
#include "tests/kernels/random_networks.h"

namespace bitpilot {
namespace {

std::string Describe(const Network& network) {
  std::string text = ToString(AssignmentOf(network));
  for (const Operation& op : network.topology.operations) {
    text += "\n  " + std::string(ToString(op.kind)) + " input " + std::to_string(op.input) +
            " channels " + std::to_string(op.out_channels) + " kernel " +
            std::to_string(op.kernel_h) + "x" + std::to_string(op.kernel_w) + " stride " +
            std::to_string(op.stride_h) + "x" + std::to_string(op.stride_w) + " groups " +
            std::to_string(op.groups) + " residual " + std::to_string(op.residual);
  }
  return text;
}

}  // namespace

std::vector<std::uint8_t> RandomPixels(std::int64_t count, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(count));
  std::generate(pixels.begin(), pixels.end(),
                [&random] { return static_cast<std::uint8_t>(random()); });
  return pixels;
}

CompiledNetwork Compile(const Network& network, Isa isa, ThreadPool* pool) {
  Result<CompiledNetwork> compiled = CompiledNetwork::Create(network, {.isa = isa, .pool = pool});
  BITPILOT_CHECK(compiled.ok());
  return std::move(compiled).value();
}

std::vector<float> Infer(CompiledNetwork& compiled, const Network& network,
                         const std::vector<std::uint8_t>& pixels) {
  std::vector<float> logits(static_cast<std::size_t>(network.num_classes()), -1.0F);
  ResetLargestAllocation();
  compiled.Run(pixels, logits);
  EXPECT_EQ(LargestAllocation(), 0U);
  return logits;
}

ThreadPool* PoolOf(int num_threads, bool caller_helps) {
  static std::map<std::pair<int, bool>, std::unique_ptr<ThreadPool>> pools;
  std::unique_ptr<ThreadPool>& pool = pools[{num_threads, caller_helps}];
  if (pool == nullptr) {
    pool = ThreadPool::Create({.num_threads = num_threads, .caller_helps = caller_helps}).value();
  }
  return pool.get();
}

void ExpectMatchesReference(const Network& network, Isa isa, std::uint64_t seed,
                            bool threads_meet) {
  std::vector<CompiledNetwork> compiled;
  compiled.push_back(Compile(network, isa));
  compiled.push_back(Compile(
      network, isa, PoolOf(2 + static_cast<int>(seed % 2), /*caller_helps=*/!threads_meet)));
  // Two images, because the first leaves its codes in shared memory.
  for (std::uint64_t image = 0; image < 2; ++image) {
    const std::vector<std::uint8_t> pixels = RandomPixels(network.input_bytes(), seed + image);
    const std::vector<float> logits = RunReference(network, pixels);
    for (CompiledNetwork& one : compiled) {
      ASSERT_EQ(Infer(one, network, pixels), logits)
          << one.num_threads() << " threads, " << Describe(network);
    }
  }
}

Network StandardNetwork(const std::string& name, std::uint64_t seed) {
  const Topology topology = StandardTopology(name).value();
  return RandomNetwork(topology, RandomAssignment(topology, seed), seed);
}

std::vector<Isa> IsasOfThisArchitecture() {
  std::vector<Isa> isas = AllIsas();
  std::erase_if(isas, [](Isa isa) {
#if defined(__aarch64__)
    return isa != Isa::kScalar && !Allows(isa, Isa::kNeon);
#else
    return Allows(isa, Isa::kNeon);
#endif
  });
  return isas;
}

}  // namespace bitpilot
