// The simulator's one source of chance.
#pragma once

#include <chrono>
#include <cstdint>

namespace bitpilot::simulation {

// SplitMix64 (Steele et al., "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014): the same
// numbers on every machine.
class SimRandom {
 public:
  explicit SimRandom(std::uint64_t seed) : state_(seed) {}

  std::uint64_t Next() {
    state_ += 0x9e3779b97f4a7c15;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  // In [0, limit). REQUIRES: limit > 0.
  int Below(int limit) { return static_cast<int>((Next() >> 33) % static_cast<unsigned>(limit)); }
  // In [low, high].
  int Between(int low, int high) { return low + Below(high - low + 1); }
  std::chrono::milliseconds Time(int low_ms, int high_ms) {
    return std::chrono::milliseconds(Between(low_ms, high_ms));
  }
  bool Permille(int permille) { return Below(1000) < permille; }

 private:
  std::uint64_t state_;
};

}  // namespace bitpilot::simulation
