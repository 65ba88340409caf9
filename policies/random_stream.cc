#include "policies/random_stream.h"

#include <bit>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <system_error>

#include "kernels/base/check.h"
#include "policies/plain_math.h"

namespace bitpilot {
namespace {

constexpr std::size_t kHexDigitsPerWord = 16;

std::uint64_t SplitMix64(std::uint64_t& state) {
  state += 0x9E3779B97F4A7C15U;
  std::uint64_t bits = state;
  bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9U;
  bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EBU;
  return bits ^ (bits >> 31);
}

// FNV-1a, 64 bits.
std::uint64_t HashName(std::string_view name) {
  std::uint64_t hash = 0xCBF29CE484222325U;
  for (const char c : name) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3U;
  }
  return hash;
}

}  // namespace

RandomStream::RandomStream(std::uint64_t root_seed, std::string_view name, std::uint64_t counter) {
  std::uint64_t mixer = root_seed;
  mixer = SplitMix64(mixer) ^ HashName(name);
  mixer = SplitMix64(mixer) ^ counter;
  for (std::uint64_t& word : state_) {
    word = SplitMix64(mixer);
  }
}

std::uint64_t RandomStream::NextBits() {
  const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const std::uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

double RandomStream::NextUniform() { return static_cast<double>(NextBits() >> 11) * 0x1p-53; }

int RandomStream::NextIndex(int count) {
  BITPILOT_CHECK(count >= 1);
  const auto range = static_cast<std::uint64_t>(count);
  // Bits below this threshold would make small indices more likely.
  const std::uint64_t threshold = (0 - range) % range;
  std::uint64_t bits = NextBits();
  while (bits < threshold) {
    bits = NextBits();
  }
  return static_cast<int>(bits % range);
}

double RandomStream::NextNormal() {
  while (true) {
    const double x = 2.0 * NextUniform() - 1.0;
    const double y = 2.0 * NextUniform() - 1.0;
    const double square = x * x + y * y;
    if (square > 0.0 && square < 1.0) {
      return x * std::sqrt(-2.0 * PlainLog(square) / square);
    }
  }
}

std::string RandomStream::Save() const {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const std::uint64_t word : state_) {
    for (int shift = 60; shift >= 0; shift -= 4) {
      text.push_back(kDigits[(word >> shift) & 0xFU]);
    }
  }
  return text;
}

Status RandomStream::Load(std::string_view text) {
  std::array<std::uint64_t, 4> state{};
  bool valid = text.size() == state.size() * kHexDigitsPerWord;
  for (std::size_t i = 0; valid && i < state.size(); ++i) {
    const char* begin = text.data() + i * kHexDigitsPerWord;
    const char* end = begin + kHexDigitsPerWord;
    const auto [parsed, error] = std::from_chars(begin, end, state[i], 16);
    valid = error == std::errc() && parsed == end;
  }
  // All zeros is the one state that the generator never leaves.
  if (!valid || state == std::array<std::uint64_t, 4>{}) {
    return DataCorrupt("random stream: expected 64 hex digits that are not all zero, got \"" +
                       std::string(text.substr(0, 80)) + "\"");
  }
  state_ = state;
  return Status();
}

}  // namespace bitpilot
