#include "agent/profile/profile_plan.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <numeric>
#include <utility>

#include "policies/random_stream.h"

namespace bitpilot {
namespace {

constexpr std::uint64_t kPlanSeed = 1;
constexpr std::uint64_t kCheckSeed = 2;
// Beside these, each job holds the 8-bit network. More would save its share of the time, but the
// machine drifts within a round, too.
constexpr int kNetworksPerJob = 7;

struct Extent {
  int min_networks;           // squares are added until there are as many
  std::uint64_t max_squares;  // which a few widths reach first
  int num_checks;
  Tier tier;
};
constexpr Extent kQuick{90, 10, 21, Tier::kScreen};
constexpr Extent kFull{190, 20, 49, Tier::kStandard};
// Some 15 seconds for seven widths.
constexpr Extent kBounded{42, 6, 0, Tier::kScreen};

template <typename T>
void Shuffle(std::vector<T>& items, RandomStream& random) {
  for (std::size_t i = items.size(); i > 1; --i) {
    std::swap(items[i - 1], items[static_cast<std::size_t>(random.NextIndex(static_cast<int>(i)))]);
  }
}

std::vector<std::vector<int>> Permutations(std::size_t count, const std::vector<int>& bits,
                                           RandomStream& random) {
  std::vector<std::vector<int>> permutations(count, bits);
  for (std::vector<int>& permutation : permutations) Shuffle(permutation, random);
  return permutations;
}

std::vector<BitAssignment> MakeSquare(const Topology& topology, const std::vector<int>& bits,
                                      RandomStream& random) {
  const BitAssignment uniform8 = UniformAssignment(topology, 8, 8);
  const auto of_layer = Permutations(uniform8.weight_bits.size(), bits, random);
  const auto of_tensor = Permutations(uniform8.activation_bits.size(), bits, random);
  std::vector<BitAssignment> square;
  for (std::size_t row = 0; row < bits.size(); ++row) {
    for (std::size_t column = 0; column < bits.size(); ++column) {
      BitAssignment assignment = uniform8;
      for (std::size_t l = 0; l < of_layer.size(); ++l)
        assignment.weight_bits[l].front().bits = of_layer[l][row];
      for (std::size_t t = 1; t < of_tensor.size(); ++t)
        assignment.activation_bits[t] = of_tensor[t][column];
      square.push_back(std::move(assignment));
    }
  }
  Shuffle(square, random);
  return square;
}

void AppendJobs(const std::vector<BitAssignment>& assignments, bool is_check,
                std::vector<ProfileJob>& jobs) {
  for (std::size_t i = 0; i < assignments.size(); ++i) {
    if (i % kNetworksPerJob == 0) jobs.push_back({{}, is_check});
    jobs.back().assignments.push_back(assignments[i]);
  }
}

const Extent& ExtentOf(const ProfileSettings& settings) {
  if (settings.bounded) return kBounded;
  return settings.quick ? kQuick : kFull;
}

// 8 bits are in every job.
std::vector<BitAssignment> OneWidthEverywhere(const Topology& topology,
                                              const std::vector<int>& bits) {
  std::vector<BitAssignment> assignments;
  for (const int width : bits) {
    if (width == 8) continue;
    assignments.push_back(UniformAssignment(topology, width, width, /*search_ends=*/true));
  }
  return assignments;
}

// One width; 0 if `text` is none.
int ParseWidth(std::string_view text) {
  int width = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), width);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  return whole && width >= 1 && width <= 8 ? width : 0;
}

}  // namespace

Result<std::vector<int>> ParseBitsList(const std::string& text) {
  const Status malformed = InvalidArgument(
      "--bits takes ascending widths in 1..8, as 2..8 or 2,4,8, got \"" + text + "\"");
  std::vector<int> bits;
  if (const std::size_t dots = text.find(".."); dots != std::string::npos) {
    const int first = ParseWidth(std::string_view(text).substr(0, dots));
    const int last = ParseWidth(std::string_view(text).substr(dots + 2));
    if (first == 0 || last < first) return malformed;
    bits.resize(static_cast<std::size_t>(last - first + 1));
    std::iota(bits.begin(), bits.end(), first);
    return bits;
  }
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const int width = ParseWidth(std::string_view(text).substr(begin, end - begin));
    if (width == 0 || (!bits.empty() && width <= bits.back())) return malformed;
    bits.push_back(width);
    begin = end + 1;
  }
  return bits;
}

ProfilePlan MakeProfilePlan(const Topology& topology, const ProfileSettings& settings) {
  const Extent& extent = ExtentOf(settings);
  ProfilePlan plan;
  plan.tier = extent.tier;
  if (settings.bounded) {
    AppendJobs(OneWidthEverywhere(topology, settings.bits), /*is_check=*/false, plan.jobs);
  }
  std::vector<BitAssignment> learned;
  for (std::uint64_t square = 0;
       square < extent.max_squares && std::ssize(learned) < extent.min_networks; ++square) {
    RandomStream random(kPlanSeed, "profile square", square);
    for (BitAssignment& assignment : MakeSquare(topology, settings.bits, random))
      learned.push_back(std::move(assignment));
  }
  AppendJobs(learned, /*is_check=*/false, plan.jobs);
  AppendJobs(RandomAssignments(topology, settings.bits, extent.num_checks, kCheckSeed),
             /*is_check=*/true, plan.jobs);
  return plan;
}

std::vector<BitAssignment> RandomAssignments(const Topology& topology, const std::vector<int>& bits,
                                             int count, std::uint64_t seed) {
  RandomStream random(seed, "random assignments");
  const auto draw = [&] {
    return bits[static_cast<std::size_t>(random.NextIndex(static_cast<int>(bits.size())))];
  };
  std::vector<BitAssignment> assignments;
  for (int i = 0; i < count; ++i) {
    BitAssignment assignment = UniformAssignment(topology, 8, 8);
    for (std::vector<ChannelRun>& layer : assignment.weight_bits) layer.front().bits = draw();
    for (std::size_t t = 1; t < assignment.activation_bits.size(); ++t)
      assignment.activation_bits[t] = draw();
    assignments.push_back(std::move(assignment));
  }
  return assignments;
}

}  // namespace bitpilot
