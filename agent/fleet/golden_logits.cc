#include "agent/fleet/golden_logits.h"

#include <cstring>
#include <string_view>
#include <utility>

#include "kernels/base/sha256.h"
#include "kernels/compiled_network.h"
#include "kernels/reference.h"

namespace bitpilot {
namespace {

bool IsPortable(Isa isa) { return isa == Isa::kScalar || isa == Isa::kScalarPopcnt; }

Result<std::vector<float>> RunKernels(const Network& network, std::span<const std::uint8_t> image,
                                      Isa isa) {
  Result<CompiledNetwork> compiled = CompiledNetwork::Create(network, {.isa = isa});
  if (!compiled.ok()) return compiled.status();
  std::vector<float> logits(static_cast<std::size_t>(network.num_classes()));
  compiled->Run(image, logits);
  return logits;
}

std::string HashOf(const std::string& file_sha256, std::span<const std::uint8_t> image) {
  std::string bytes = file_sha256;
  bytes.append(reinterpret_cast<const char*>(image.data()), image.size());
  const Sha256Digest digest = ComputeSha256(bytes);
  return {digest.begin(), digest.end()};
}

bool AreSameBits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

}  // namespace

GoldenLogits::Means GoldenLogits::Means::OfThisMachine() { return {RunKernels, RunReference}; }

GoldenLogits::GoldenLogits(Notice notice, Means means)
    : notice_(std::move(notice)), means_(std::move(means)) {}

std::optional<Isa> GoldenLogits::LevelFor(const std::string& board_isa) {
  const Result<Isa> isa = ParseIsa(board_isa);
  if (!isa.ok()) return std::nullopt;
  if (!IsPortable(*isa)) return Isa::kScalar;
  const Result<Isa> limit = DefaultIsa();
  std::optional<Isa> best;
  for (const Isa one : SupportedIsas()) {
    if (limit.ok() && Allows(*limit, one) && !IsPortable(one)) best = one;
  }
  return best;
}

std::vector<float> GoldenLogits::Of(const Network& network, const std::string& file_sha256,
                                    std::span<const std::uint8_t> image,
                                    const std::string& board_isa) {
  const std::optional<Isa> level = trusts_kernels_ ? LevelFor(board_isa) : std::nullopt;
  const std::string hash = HashOf(file_sha256, image);
  const std::string key = std::string(level ? ToString(*level) : "reference") + " " + hash;
  if (const auto kept = kept_.find(key); kept != kept_.end()) return kept->second;
  std::vector<float> logits = Compute(network, hash, image, level);
  if (kept_.size() >= kMostKept) kept_.clear();
  kept_[key] = logits;
  return logits;
}

std::vector<float> GoldenLogits::Compute(const Network& network, const std::string& hash,
                                         std::span<const std::uint8_t> image,
                                         std::optional<Isa> level) {
  if (!level) return means_.reference(network, image);
  const Result<std::vector<float>> computed = means_.kernels(network, image, *level);
  if (!computed.ok()) return means_.reference(network, image);
  const bool is_chosen = static_cast<unsigned char>(hash.front()) % kSpotCheckEvery == 0;
  if (std::exchange(has_checked_, true) && !is_chosen) return *computed;
  std::vector<float> right = means_.reference(network, image);
  if (AreSameBits(*computed, right)) return right;
  trusts_kernels_ = false;
  kept_.clear();
  if (notice_) {
    notice_("this machine's " + std::string(ToString(*level)) + " kernels compute network '" +
            network.topology.name +
            "' otherwise than the reference: a fault of this machine or of bitpilot. Boards are "
            "compared "
            "with the reference from now on, which takes longer; what was compared before may be "
            "wrong");
  }
  return right;
}

}  // namespace bitpilot
