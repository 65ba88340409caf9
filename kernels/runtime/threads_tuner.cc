#include "kernels/runtime/threads_tuner.h"

#include <sstream>
#include <string_view>
#include <utility>

#include "kernels/base/sha256.h"
#include "kernels/runtime/fastest_candidate.h"

namespace bitpilot {
namespace {

// In place of kernels' names.
constexpr std::string_view kAllThreads = "all_threads";
constexpr std::string_view kOneThread = "one_thread";
constexpr std::size_t kHashDigits = 16;

}  // namespace

std::string NetworkThreadsKey(const Network& network, Isa isa, int num_threads) {
  std::ostringstream text;
  const Topology& topology = network.topology;
  text << topology.input.height << 'x' << topology.input.width << 'x' << topology.input.channels
       << ' ' << ToString(AssignmentOf(network));
  for (const Operation& op : topology.operations) {
    for (const int part :
         {static_cast<int>(op.kind), op.input, op.residual, op.out_channels, op.kernel_h,
          op.kernel_w, op.stride_h, op.stride_w, op.padding.top, op.padding.left, op.padding.bottom,
          op.padding.right, op.groups, op.pad_channels_before}) {
      text << ' ' << part;
    }
  }
  return std::string(ToString(isa)) + " network " + Sha256Hex(text.str()).substr(0, kHashDigits) +
         " threads " + std::to_string(num_threads);
}

bool IsFasterByOneThread(const std::string& key, const std::function<void()>& all_threads,
                         const std::function<void()>& one_thread,
                         const std::function<std::int64_t()>& wall_ns, KernelChoices& choices) {
  const KernelChoice* known = choices.Find(key);
  const bool was_one = known != nullptr && known->kernel == kOneThread;
  const bool was_all = known != nullptr && known->kernel == kAllThreads;
  if ((was_one || was_all) && choices.IsSettled(*known)) {
    choices.Use(key);
    return was_one;
  }
  // FindFastest() prefers the first: what is in force.
  std::function<void()> runs[] = {all_threads, one_thread};
  if (was_one) std::swap(runs[0], runs[1]);
  const FastestCandidate fastest = FindFastest(runs, wall_ns, choices.tick());
  const bool is_one = (fastest.index == 0) == was_one;
  choices.Remember(key, is_one ? kOneThread : kAllThreads, fastest.margin);
  choices.Use(key);
  return is_one;
}

}  // namespace bitpilot
