// What may be done with any bytes at all without harm: one target for each thing that a peer, a file
// or a worker can feed. libFuzzer looks for bytes that break one (`./check --fuzz`); the test
// fuzz_corpus_test feeds what it found so far (corpus/<name>/).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace bitpilot {

struct FuzzTarget {
  const char* name;
  void (*run)(std::string_view input);  // aborts where an invariant does not hold
};

// All of them.
std::span<const FuzzTarget> FuzzTargets();

void FuzzFrames(std::string_view input);
void FuzzMessages(std::string_view input);
void FuzzArtifacts(std::string_view input);
void FuzzNetworkFile(std::string_view input);
void FuzzDaemon(std::string_view input);

// Reads an input piece by piece. What is not there any more is zero.
class FuzzInput {
 public:
  explicit FuzzInput(std::string_view bytes) : left_(bytes) {}

  bool empty() const { return left_.empty(); }
  std::uint8_t Byte() {
    const std::string_view one = Bytes(1);
    return one.empty() ? 0 : static_cast<std::uint8_t>(one[0]);
  }
  // Little-endian.
  std::uint32_t Number(int num_bytes) {
    std::uint32_t number = 0;
    for (int i = 0; i < num_bytes; ++i) number |= std::uint32_t{Byte()} << (8 * i);
    return number;
  }
  // At most so many.
  std::string_view Bytes(std::size_t count) {
    const std::string_view taken = left_.substr(0, count);
    left_.remove_prefix(taken.size());
    return taken;
  }
  std::string_view Rest() { return Bytes(left_.size()); }

 private:
  std::string_view left_;
};

}  // namespace bitpilot
